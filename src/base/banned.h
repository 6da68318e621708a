/* Functions that have no place here, and what to use instead. Include last. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(function, instead) function##_is_banned_use_##instead

#undef strcpy
#define strcpy(...) BANNED(strcpy, writer_text)
#undef strcat
#define strcat(...) BANNED(strcat, writer_text)
#undef strncpy
#define strncpy(...) BANNED(strncpy, writer_text)
#undef strncat
#define strncat(...) BANNED(strncat, writer_text)
#undef strtok
#define strtok(...) BANNED(strtok, struct_bytes)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef atoi
#define atoi(...) BANNED(atoi, number_parse)
#undef atol
#define atol(...) BANNED(atol, number_parse)
#undef atof
#define atof(...) BANNED(atof, strtod)
#undef sscanf
#define sscanf(...) BANNED(sscanf, reader)
#undef gmtime
#define gmtime(...) BANNED(gmtime, rfc3339)
#undef localtime
#define localtime(...) BANNED(localtime, rfc3339)
#undef ctime
#define ctime(...) BANNED(ctime, rfc3339)
#undef asctime
#define asctime(...) BANNED(asctime, rfc3339)
#undef rand
#define rand(...) BANNED(rand, os_random)
#undef random
#define random(...) BANNED(random, os_random)
#undef tmpnam
#define tmpnam(...) BANNED(tmpnam, mkstemp)
#undef mktemp
#define mktemp(...) BANNED(mktemp, mkstemp)
