/* Attests many keeps: attest_load URL CA SIM COUNT THREADS [prepare] [rate=N]
 *
 * Each thread asks for nonces and certificates over one connection. A line on stdout for each
 * answer, as soon as it is there: "issued SERIAL" or "refused STATUS". With `prepare` all nonces
 * are fetched and all requests made before the first is sent, and the line "go" says when; rate=N
 * sends N requests a second. Last, a line of JSON: seconds, and the times of single answers. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attester.h"
#include "os/os.h"

#define THREADS_MAX 64
#define COUNT_MAX 20000

struct job {
    EVP_PKEY *key;
    struct bytes request; /* on the heap */
    double seconds;
    bool is_issued;
};

static const char *url, *ca;
static const struct attester *attester;
static struct job jobs[COUNT_MAX];
static size_t job_count;
static atomic_size_t next_job;
static bool is_prepared;
static double rate;
static uint64_t begin_ns;
static pthread_barrier_t barrier;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "attest_load: %s\n", what);
    exit(2);
}

struct reply {
    char data[16384];
    size_t size;
};

static size_t take(char *data, size_t one, size_t count, void *context)
{
    struct reply *r = context;

    if (r->size + one * count >= sizeof r->data)
        return 0;
    memcpy(r->data + r->size, data, one * count);
    r->size += one * count;
    r->data[r->size] = '\0';
    return one * count;
}

static CURL *new_client(void)
{
    CURL *curl = curl_easy_init();

    must(curl != NULL, "no memory");
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    return curl;
}

/* The status; 0: no answer. */
static long fetch(CURL *curl, const char *path, struct bytes body, struct reply *reply)
{
    struct curl_slist *headers = NULL;
    char address[512];
    long status = 0;

    (void)snprintf(address, sizeof address, "%s%s", url, path);
    reply->size = 0;
    reply->data[0] = '\0';
    (void)curl_easy_setopt(curl, CURLOPT_URL, address);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    if (body.size != 0) {
        headers = curl_slist_append(NULL, "Content-Type: application/pkcs10");
        headers = curl_slist_append(headers, "Expect:");
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.size);
    } else {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (curl_easy_perform(curl) == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return status;
}

/* A nonce, and a request that uses it. False: the server does not answer. */
static bool prepare(CURL *curl, struct job *job)
{
    struct attester_claim claim = {.technology = IDENTITY_SNP,
                                   .claims = {.has_digest = true, .digest = {7}}};
    uint8_t nonce[IDENTITY_NONCE_MAX];
    char path[128], hash[65];
    struct reply *reply = malloc(sizeof *reply);
    struct arena arena;
    size_t size = 0;
    struct err err;

    claim.nonce = bytes_from(nonce, 1); /* a keep of Broch's */
    job->key = attester_key(&claim);
    attester_key_hash(job->key, hash);
    (void)snprintf(path, sizeof path, "/v1/nonce?spki=%s", hash);
    long status = fetch(curl, path, (struct bytes){.size = 0}, reply);
    const char *text = strstr(reply->data, "\"nonce\":\"");
    if (status != 200 || text == NULL) {
        free(reply);
        return false;
    }
    must(hex_decode(bytes_from(text + 9, 144), nonce, sizeof nonce, &size, &err), "no nonce");
    free(reply);
    claim.nonce = bytes_from(nonce, size);
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    struct bytes request = attester_request(attester, &claim, job->key, &arena);
    uint8_t *copy = malloc(request.size);
    must(copy != NULL, "no memory");
    memcpy(copy, request.data, request.size);
    job->request = bytes_from(copy, request.size);
    arena_done(&arena);
    return true;
}

static void print_line(const char *word, const char *text)
{
    char line[256];
    int size = snprintf(line, sizeof line, "%s%s\n", word, text);

    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        exit(2);
}

static void print_serial(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    must(certificate != NULL, "the answer is no certificate");
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    uint8_t bytes[16];
    char text[33] = "";
    must(BN_bn2binpad(number, bytes, 16) == 16, "the serial number is too long");
    hex_encode(bytes_from(bytes, 16), text);
    print_line("issued ", text);
    BN_free(number);
    X509_free(certificate);
    BIO_free(bio);
}

static void send_request(CURL *curl, struct job *job)
{
    struct reply *reply = malloc(sizeof *reply);
    uint64_t from = os_monotonic_ns();
    long status = fetch(curl, "/v1/attest", job->request, reply);
    char text[32];

    job->seconds = (double)(os_monotonic_ns() - from) / 1e9;
    job->is_issued = status == 200;
    if (status == 200 && !is_prepared) {
        print_serial(reply->data);
    } else if (status != 200) {
        (void)snprintf(text, sizeof text, "%ld", status);
        print_line("refused ", text);
    }
    free(reply);
}

/* Waits for the job's turn when there is a rate. */
static void wait_turn(size_t i)
{
    uint64_t turn = rate > 0 ? begin_ns + (uint64_t)((double)i / rate * 1e9) : 0;
    uint64_t now = os_monotonic_ns();

    if (turn > now)
        (void)usleep((useconds_t)((turn - now) / 1000));
}

static void *run(void *argument)
{
    CURL *curl = new_client();
    size_t first = (size_t)(uintptr_t)argument, i;

    if (is_prepared) {
        while ((i = next_job++) < job_count)
            must(prepare(curl, &jobs[i]), "no nonce");
        (void)pthread_barrier_wait(&barrier);
        if (first == 0) {
            next_job = 0;
            begin_ns = os_monotonic_ns();
            print_line("go", "");
        }
        (void)pthread_barrier_wait(&barrier);
    }
    while ((i = next_job++) < job_count) {
        wait_turn(i);
        if (is_prepared || prepare(curl, &jobs[i]))
            send_request(curl, &jobs[i]);
        else
            print_line("refused ", "0");
    }
    curl_easy_cleanup(curl);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(double seconds)
{
    static double times[COUNT_MAX];
    size_t issued = 0;

    for (size_t i = 0; i < job_count; i++) {
        if (jobs[i].is_issued)
            times[issued++] = jobs[i].seconds;
    }
    qsort(times, issued, sizeof times[0], compare);
    (void)printf("{\"issued\":%zu,\"seconds\":%.6f,\"median\":%.6f,\"p99\":%.6f}\n", issued,
                 seconds, issued != 0 ? times[issued / 2] : 0,
                 issued != 0 ? times[issued * 99 / 100] : 0);
}

/* ---- what OpenSSL alone takes ---- */

#define BOUND_RUNS 301

struct operation {
    EVP_PKEY *key;
    const EVP_MD *digest;
    bool signs;
    uint8_t signature[160];
    size_t size;
};

static const uint8_t message[672];

static void sign_once(struct operation *o)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    o->size = sizeof o->signature;
    must(EVP_DigestSignInit(context, NULL, o->digest, NULL, o->key) == 1 &&
             EVP_DigestSign(context, o->signature, &o->size, message, sizeof message) == 1,
         "no signature");
    EVP_MD_CTX_free(context);
}

static void verify_once(struct operation *o)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    must(EVP_DigestVerifyInit(context, NULL, o->digest, NULL, o->key) == 1 &&
             EVP_DigestVerify(context, o->signature, o->size, message, sizeof message) == 1,
         "a bad signature");
    EVP_MD_CTX_free(context);
}

/* The median of many runs, in seconds. */
static double time_of(const char *curve, const EVP_MD *digest, bool signs)
{
    struct operation o = {.key = EVP_EC_gen(curve), .digest = digest};
    double times[BOUND_RUNS];

    must(o.key != NULL, "no key");
    sign_once(&o);
    for (size_t i = 0; i < BOUND_RUNS; i++) {
        uint64_t from = os_monotonic_ns();
        if (signs)
            sign_once(&o);
        else
            verify_once(&o);
        times[i] = (double)(os_monotonic_ns() - from) / 1e9;
    }
    EVP_PKEY_free(o.key);
    qsort(times, BOUND_RUNS, sizeof times[0], compare);
    return times[BOUND_RUNS / 2];
}

static int print_bound(void)
{
    (void)printf("{\"request\":%.9f,\"report\":%.9f,\"certificate\":%.9f}\n",
                 time_of("P-256", EVP_sha256(), false), time_of("P-384", EVP_sha384(), false),
                 time_of("P-256", EVP_sha256(), true));
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];

    if (argc == 2 && strcmp(argv[1], "bound") == 0)
        return print_bound();

    must(argc >= 6, "attest_load URL CA SIM COUNT THREADS [prepare] [rate=N]");
    url = argv[1];
    ca = argv[2];
    attester = attester_new(argv[3]);
    job_count = strtoul(argv[4], NULL, 10);
    size_t count = strtoul(argv[5], NULL, 10);
    must(job_count <= COUNT_MAX && count > 0 && count <= THREADS_MAX, "too many");
    for (int i = 6; i < argc; i++) {
        is_prepared |= strcmp(argv[i], "prepare") == 0;
        if (strncmp(argv[i], "rate=", 5) == 0)
            rate = strtod(argv[i] + 5, NULL);
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)pthread_barrier_init(&barrier, NULL, (unsigned)count);
    begin_ns = os_monotonic_ns();
    for (size_t i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) == 0, "no thread");
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    report((double)(os_monotonic_ns() - begin_ns) / 1e9);
    return 0;
}
