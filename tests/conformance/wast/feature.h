/* The features that tell the scripts of the suite apart: those the engine lacks, and those that
 * lift restrictions of what came before. */
#pragma once

#include "sexpr.h"

enum feature {
    FEATURE_NONE,
    FEATURE_THREADS,
    FEATURE_EXCEPTIONS,
    FEATURE_RELAXED_SIMD,
    FEATURE_MEMORY64,
    FEATURE_FUNCTION_REFERENCES,
    FEATURE_GC,
    /* these the engine has */
    FEATURE_REFERENCE_TYPES,
    FEATURE_MULTI_MEMORY,
    FEATURE_COUNT
};

const char *feature_name(enum feature feature);

/* A feature the engine lacks that a module or command uses, by its keywords. */
enum feature feature_used(const struct sexpr *e);

/* The feature that a message of the engine says it lacks. */
enum feature feature_missing(const char *message);

/* The feature under which a fault that an older assertion expects is none any more. */
enum feature feature_lifting(struct bytes expected);
