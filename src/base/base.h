/* The base library: what every room builds with. No domain knowledge, no I/O, no clock. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/compiler.h"
#include "base/deadline.h"
#include "base/der.h"
#include "base/err.h"
#include "base/leb128.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/text_form.h"
#include "base/toml.h"
#include "base/toml_table.h"
#include "base/utf8.h"
#include "base/writer.h"
