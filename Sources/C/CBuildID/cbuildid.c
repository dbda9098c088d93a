#define _GNU_SOURCE
#include "cbuildid.h"

#include <link.h>

struct visit {
  cbuildid_visitor visitor;
  void *context;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct visit *visit = data;
  int found = 0;
  for (int index = 0; index < info->dlpi_phnum; index++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[index];
    if (header->p_type != PT_NOTE) continue;
    found = 1;
    visit->visitor(visit->context, info->dlpi_name, (const char *)info->dlpi_addr + header->p_vaddr,
                   header->p_memsz, header->p_align);
  }
  if (!found) visit->visitor(visit->context, info->dlpi_name, "", 0, 4);
  return 0;
}

void cbuildid_visit(cbuildid_visitor visitor, void *context) {
  struct visit visit = {visitor, context};
  dl_iterate_phdr(look_at, &visit);
}
