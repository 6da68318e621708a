/* What a program in the exec layer's place has in its block's first argument when it asks the
 * loader to make SYSCALL for it. */
#pragma once

#define SYSCALL_BY_LOADER 0x5ca11
