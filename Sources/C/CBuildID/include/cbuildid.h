#ifndef CBUILDID_H
#define CBUILDID_H

#include <stddef.h>

/// A segment of notes of something that is loaded; one without any is told with no bytes.
typedef void (*cbuildid_visitor)(void *context, const char *object, const void *notes, size_t size,
                                 size_t alignment);

/// Visits the notes of the program and of each library, in the order of loading.
void cbuildid_visit(cbuildid_visitor visitor, void *context);

#endif
