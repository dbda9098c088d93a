#include <libjsonnet.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>

// Swift can't call a function of variable arguments.
static inline int configsync_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL); }

// glibc 2.34 and later; its header shows it to GNU sources alone.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

static inline int configsync_close_from(posix_spawn_file_actions_t *actions, int from) {
  return posix_spawn_file_actions_addclosefrom_np(actions, from);
}
