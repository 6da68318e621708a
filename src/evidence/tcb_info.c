#include "evidence/tcb_info.h"

#include <stdio.h>

#include "evidence/civil.h"
#include "evidence/json.h"

static const char *const status_names[TCB_STATUS_COUNT] = {
    [TCB_UP_TO_DATE] = "UpToDate",
    [TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [TCB_OUT_OF_DATE] = "OutOfDate",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [TCB_REVOKED] = "Revoked",
    [TCB_NOT_SUPPORTED] = "NotSupported",
};

const char *tcb_status_name(enum tcb_status status)
{
    return status_names[status];
}

bool tcb_status_parse(struct bytes text, enum tcb_status *out)
{
    for (enum tcb_status s = 0; s < TCB_NOT_SUPPORTED; s++) {
        if (bytes_is(text, status_names[s])) {
            *out = s;
            return true;
        }
    }
    return false;
}

/* A text of the tree, which goes, for the arena, which stays. */
static bool keep_text(struct arena *arena, struct bytes text, struct bytes *out)
{
    uint8_t *copy = arena_alloc(arena, text.size, 1);

    if (copy == NULL)
        return false;
    if (text.size != 0)
        memcpy(copy, text.data, text.size);
    *out = bytes_from(copy, text.size);
    return true;
}

static bool read_time(const json_t *object, const char *key, int64_t *out)
{
    struct bytes text;

    return json_text(object, key, &text) && civil_parse(text, out);
}

static bool read_status(const json_t *level, enum tcb_status *out)
{
    struct bytes text;

    return (json_text(level, "tcbStatus", &text) || json_text(level, "status", &text)) &&
           tcb_status_parse(text, out);
}

static bool read_advisories(const json_t *level, struct arena *arena, struct advisories *out)
{
    const json_t *list = json_object_get(level, "advisoryIDs");
    size_t count = json_array_size(list);

    *out = (struct advisories){.count = 0};
    if (list == NULL)
        return true;
    if (!json_is_array(list) || count > TCB_ADVISORIES_MAX)
        return false;
    struct bytes *ids = ARENA_ARRAY(arena, struct bytes, count);
    if (ids == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_string(id) ||
            !keep_text(arena, bytes_from(json_string_value(id), json_string_length(id)), &ids[i]))
            return false;
    }
    *out = (struct advisories){.ids = ids, .count = count};
    return true;
}

/* ---- levels of platforms ---- */

/* Version 3: [{"svn": 1, …}, …], exactly 16. */
static bool read_components(const json_t *tcb, const char *key, uint8_t out[TCB_COMPONENTS])
{
    const json_t *list = json_object_get(tcb, key);
    uint64_t svn;

    if (!json_is_array(list) || json_array_size(list) != TCB_COMPONENTS)
        return false;
    for (size_t i = 0; i < TCB_COMPONENTS; i++) {
        if (!json_number(json_array_get(list, i), "svn", UINT8_MAX, &svn))
            return false;
        out[i] = (uint8_t)svn;
    }
    return true;
}

/* Before version 3: "sgxtcbcomp01svn" to "sgxtcbcomp16svn". */
static bool read_flat_components(const json_t *tcb, uint8_t out[TCB_COMPONENTS])
{
    char key[32];
    uint64_t svn;

    for (unsigned i = 0; i < TCB_COMPONENTS; i++) {
        (void)snprintf(key, sizeof key, "sgxtcbcomp%02usvn", i + 1);
        if (!json_number(tcb, key, UINT8_MAX, &svn))
            return false;
        out[i] = (uint8_t)svn;
    }
    return true;
}

static bool read_level(const json_t *level, const struct tcb_info *info, struct arena *arena,
                       struct tcb_level *out)
{
    const json_t *tcb = json_object_get(level, "tcb");
    uint64_t pce_svn;

    if (!json_number(tcb, "pcesvn", UINT16_MAX, &pce_svn) || !read_status(level, &out->status) ||
        !read_advisories(level, arena, &out->advisories))
        return false;
    out->pce_svn = (uint16_t)pce_svn;
    if (info->version < 3)
        return read_flat_components(tcb, out->sgx);
    return read_components(tcb, "sgxtcbcomponents", out->sgx) &&
           (!bytes_is(info->id, "TDX") || read_components(tcb, "tdxtcbcomponents", out->tdx));
}

static bool read_levels(const json_t *root, struct arena *arena, struct tcb_info *out)
{
    const json_t *list = json_object_get(root, "tcbLevels");
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count == 0 || count > TCB_LEVELS_MAX)
        return false;
    struct tcb_level *levels = ARENA_ARRAY(arena, struct tcb_level, count);
    if (levels == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_level(json_array_get(list, i), out, arena, &levels[i]))
            return false;
    }
    out->levels = levels;
    out->level_count = count;
    return true;
}

/* ---- levels of enclaves and modules ---- */

static bool read_isv_levels(const json_t *object, struct arena *arena, const struct isv_level **out,
                            size_t *out_count)
{
    const json_t *list = json_object_get(object, "tcbLevels");
    size_t count = json_array_size(list);
    uint64_t svn;

    if (!json_is_array(list) || count == 0 || count > TCB_LEVELS_MAX)
        return false;
    struct isv_level *levels = ARENA_ARRAY(arena, struct isv_level, count);
    if (levels == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *level = json_array_get(list, i);
        if (!json_number(json_object_get(level, "tcb"), "isvsvn", UINT16_MAX, &svn) ||
            !read_status(level, &levels[i].status) ||
            !read_advisories(level, arena, &levels[i].advisories))
            return false;
        levels[i].isv_svn = (uint16_t)svn;
    }
    *out = levels;
    *out_count = count;
    return true;
}

static bool read_module(const json_t *object, struct tdx_module *out)
{
    return json_hex(object, "mrsigner", out->mrsigner, sizeof out->mrsigner) &&
           json_hex(object, "attributes", out->attributes, sizeof out->attributes) &&
           json_hex(object, "attributesMask", out->attributes_mask, sizeof out->attributes_mask);
}

static bool read_modules(const json_t *root, struct arena *arena, struct tcb_info *out)
{
    const json_t *module = json_object_get(root, "tdxModule");
    const json_t *list = json_object_get(root, "tdxModuleIdentities");
    size_t count = json_array_size(list);
    struct bytes id;

    out->has_module = module != NULL;
    if (module != NULL && !read_module(module, &out->module))
        return false;
    if (list == NULL)
        return true;
    if (!json_is_array(list) || count > TCB_MODULES_MAX)
        return false;
    struct tdx_module *modules = ARENA_ARRAY(arena, struct tdx_module, count);
    if (modules == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_text(item, "id", &id) || !keep_text(arena, id, &modules[i].id) ||
            !read_module(item, &modules[i]) ||
            !read_isv_levels(item, arena, &modules[i].levels, &modules[i].level_count))
            return false;
    }
    out->modules = modules;
    out->module_count = count;
    return true;
}

/* ---- the two documents ---- */

static bool read_tcb_info(const json_t *root, struct arena *arena, struct tcb_info *out)
{
    struct bytes id = {.size = 0};

    if (!json_number(root, "version", UINT32_MAX, &out->version) || out->version < 1 ||
        out->version > 3 || !read_time(root, "issueDate", &out->issued) ||
        !read_time(root, "nextUpdate", &out->next_update) ||
        !json_hex(root, "fmspc", out->fmspc, sizeof out->fmspc))
        return false;
    if (out->version == 3 && !json_text(root, "id", &id))
        return false;
    out->has_pce_id = json_hex(root, "pceId", out->pce_id, sizeof out->pce_id);
    out->has_evaluation =
        json_number(root, "tcbEvaluationDataNumber", UINT32_MAX, &out->evaluation);
    if (out->version > 1 && (!out->has_pce_id || !out->has_evaluation ||
                             !json_number(root, "tcbType", UINT32_MAX, &out->tcb_type)))
        return false;
    return keep_text(arena, id, &out->id) && read_levels(root, arena, out) &&
           read_modules(root, arena, out);
}

static bool read_identity(const json_t *root, struct arena *arena, struct enclave_identity *out)
{
    uint64_t prod_id;
    uint8_t misc[4], mask[4];
    struct bytes id;

    if (!json_text(root, "id", &id) || !keep_text(arena, id, &out->id) ||
        !json_number(root, "version", UINT32_MAX, &out->version) ||
        !read_time(root, "issueDate", &out->issued) ||
        !read_time(root, "nextUpdate", &out->next_update) ||
        !json_number(root, "tcbEvaluationDataNumber", UINT32_MAX, &out->evaluation) ||
        !json_hex(root, "miscselect", misc, sizeof misc) ||
        !json_hex(root, "miscselectMask", mask, sizeof mask) ||
        !json_hex(root, "attributes", out->attributes, sizeof out->attributes) ||
        !json_hex(root, "attributesMask", out->attributes_mask, sizeof out->attributes_mask) ||
        !json_hex(root, "mrsigner", out->mrsigner, sizeof out->mrsigner) ||
        !json_number(root, "isvprodid", UINT16_MAX, &prod_id))
        return false;
    /* as it stands in a report: sample data of Intel's library has "D182B18C" for d1 82 b1 8c there
     */
    struct reader r = reader_of(bytes_from(misc, sizeof misc));
    struct reader m = reader_of(bytes_from(mask, sizeof mask));
    out->isv_prod_id = (uint16_t)prod_id;
    return reader_u32le(&r, &out->misc_select) && reader_u32le(&m, &out->misc_mask) &&
           read_isv_levels(root, arena, &out->levels, &out->level_count);
}

static bool open_document(struct bytes json, json_t **root, struct err *err)
{
    if (json.size > TCB_JSON_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "Intel's description is too large, in bytes", json.size);
    return json_parse(json, root, err);
}

bool tcb_info_parse(struct bytes json, struct arena *arena, struct tcb_info *out, struct err *err)
{
    struct tcb_info info = {.version = 0};
    json_t *root;

    if (!open_document(json, &root, err))
        return false;
    bool ok = read_tcb_info(root, arena, &info) ||
              err_set(err, ERR_FORMAT, "a TCB info has a field missing or malformed", ERR_NO_AT);
    json_decref(root);
    if (ok)
        *out = info;
    return ok;
}

bool enclave_identity_parse(struct bytes json, struct arena *arena, struct enclave_identity *out,
                            struct err *err)
{
    struct enclave_identity identity = {.version = 0};
    json_t *root;

    if (!open_document(json, &root, err))
        return false;
    bool ok =
        read_identity(root, arena, &identity) ||
        err_set(err, ERR_FORMAT, "an enclave identity has a field missing or malformed", ERR_NO_AT);
    json_decref(root);
    if (ok)
        *out = identity;
    return ok;
}
