/* What AESM's error codes say, and what to do: psw/ae/inc/internal/aesm_error.h of Intel's
 * linux-sgx. Codes of EPID and of platform services, which nobody has any more, are left out. */
#include "host/aesm.h"
#include "base/banned.h"

#define QCNL "/etc/sgx_default_qcnl.conf"
#define LOG "'journalctl -u aesmd' says more"
#define RESTART "restart it: sudo systemctl restart aesmd"

static const struct {
    uint32_t code;
    enum err_code kind;
    const char *text;
} errors[] = {
    {1, ERR_IO,
     "aesmd: UNEXPECTED_ERROR (1): often a key that it cannot have certified: see pccs_url in " QCNL
     "; " LOG},
    {2, ERR_IO,
     "aesmd: NO_DEVICE_ERROR (2): it finds no SGX device; 'broch platform info' says why"},
    {3, ERR_IO, "aesmd: PARAMETER_ERROR (3): it is too old, or no AESM; update sgx-aesm-service"},
    {12, ERR_IO,
     "aesmd: NETWORK_ERROR (12): it cannot reach the service of certificates: see pccs_url in " QCNL
     ", and the network"},
    {13, ERR_IO, "aesmd: NETWORK_BUSY_ERROR (13): the service of certificates is busy; try later"},
    {14, ERR_IO,
     "aesmd: PROXY_SETTING_ASSIST (14): name the proxy in /etc/aesmd.conf, then " RESTART},
    {15, ERR_IO,
     "aesmd: FILE_ACCESS_ERROR (15): it cannot use its files: see that /var/opt/aesmd is its own"},
    {16, ERR_IO, "aesmd: SGX_PROVISION_FAILED (16): " LOG},
    {17, ERR_IO, "aesmd: SERVICE_STOPPED (17): it is going down; " RESTART},
    {18, ERR_IO, "aesmd: BUSY (18): try again"},
    {19, ERR_IO, "aesmd: BACKEND_SERVER_BUSY (19): Intel's service is busy; try later"},
    {20, ERR_IO,
     "aesmd: UPDATE_AVAILABLE (20): the platform is too old for it: update Intel's SGX packages, "
     "the firmware and the microcode"},
    {21, ERR_IO, "aesmd: OUT_OF_MEMORY_ERROR (21): it has no memory; " RESTART},
    {22, ERR_IO,
     "aesmd: MSG_ERROR (22): it cannot read what it was asked; update sgx-aesm-service"},
    {23, ERR_IO, "aesmd: THREAD_ERROR (23): " RESTART},
    {24, ERR_IO,
     "aesmd: SGX_DEVICE_NOT_AVAILABLE (24): it finds no SGX device; 'broch platform info' says "
     "why"},
    {25, ERR_IO,
     "aesmd: ENABLE_SGX_DEVICE_FAILED (25): switch SGX on in the firmware; 'broch platform info' "
     "says more"},
    {27, ERR_IO,
     "aesmd: SERVICE_NOT_AVAILABLE (27): install libsgx-aesm-quote-ex-plugin and "
     "libsgx-aesm-ecdsa-plugin, then " RESTART},
    {29, ERR_IO,
     "aesmd: OUT_OF_EPC (29): enclaves have no memory left: end some, or give them more in the "
     "firmware (PRMRR)"},
    {30, ERR_IO,
     "aesmd: SERVICE_UNAVAILABLE (30): install libsgx-aesm-quote-ex-plugin, let aesmd use "
     "/dev/sgx_enclave and /dev/sgx_provision, then " RESTART},
    {31, ERR_IO,
     "aesmd: UNRECOGNIZED_PLATFORM (31): Intel does not know this machine: register it with "
     "sgx-ra-service, or have its maker do it"},
    {32, ERR_IO, "aesmd: ECDSA_ID_MISMATCH (32): its stored key is another's; " RESTART},
    {33, ERR_IO, "aesmd: PATHNAME_BUFFER_OVERFLOW (33): reinstall Intel's SGX packages"},
    {34, ERR_IO, "aesmd: ERROR_STORED_KEY (34): empty /var/opt/aesmd/data, then " RESTART},
    {35, ERR_IO, "aesmd: PUB_KEY_ID_MISMATCH (35): its key has changed; try again"},
    {36, ERR_IO, "aesmd: INVALID_PCE_SIG_SCHEME (36): update libsgx-ae-pce"},
    {37, ERR_IO, "aesmd: ATT_KEY_BLOB_ERROR (37): empty /var/opt/aesmd/data, then " RESTART},
    {38, ERR_IO,
     "aesmd: UNSUPPORTED_ATT_KEY_ID (38): it has no ECDSA quoting enclave of Intel's: install "
     "libsgx-aesm-ecdsa-plugin, then " RESTART},
    {39, ERR_IO, "aesmd: UNSUPPORTED_LOADING_POLICY (39): reinstall Intel's SGX packages"},
    {40, ERR_IO, "aesmd: INTERFACE_UNAVAILABLE (40): reinstall Intel's SGX packages; " LOG},
    {41, ERR_IO,
     "aesmd: PLATFORM_LIB_UNAVAILABLE (41): install libsgx-dcap-default-qpl and name a service "
     "in " QCNL},
    {42, ERR_IO,
     "aesmd: ATT_KEY_NOT_INITIALIZED (42): it was restarted in the meantime; try again"},
    {43, ERR_IO,
     "aesmd: ATT_KEY_CERT_DATA_INVALID (43): the certificate that it has of its key is none of "
     "this platform: have the caching service (pccs_url in " QCNL ") fetch it anew"},
    {44, ERR_IO,
     "aesmd: NO_PLATFORM_CERT_DATA (44): the service at pccs_url in " QCNL " has no certificate of "
     "this machine: register it there"},
    {45, ERR_POLICY, "aesmd: ERROR_REPORT (45): the REPORT is not for its quoting enclave"},
    {46, ERR_IO, "aesmd: ENCLAVE_LOST (46): the machine has slept; " RESTART},
    {47, ERR_POLICY,
     "aesmd: INVALID_REPORT (47): the REPORT is not of this machine, or not for its quoting "
     "enclave"},
    {48, ERR_IO,
     "aesmd: ENCLAVE_LOAD_ERROR (48): it cannot start its enclaves: install libsgx-ae-qe3 and "
     "libsgx-ae-pce, and see /dev/sgx_provision ('broch platform info')"},
    {49, ERR_IO, "aesmd: UNABLE_TO_GENERATE_QE_REPORT (49): " RESTART},
    {50, ERR_IO,
     "aesmd: KEY_CERTIFICATION_ERROR (50): let aesmd use /dev/sgx_provision, its group being "
     "sgx_prv; then " RESTART},
};

bool aesm_error_set(uint32_t code, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (errors[i].code == code)
            return err_set(err, errors[i].kind, errors[i].text, ERR_NO_AT);
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "aesmd answers with an error that is not known here ('journalctl -u aesmd' says "
                   "more), number",
                   code);
}
