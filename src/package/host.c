/* Hosts: domain names, IPv4 and IPv6 addresses. Input is untrusted. RFC 952 and 1123 for names (and
 * '_', which is in use), RFC 5952 for IPv6. */
#include "package/host.h"

#include <arpa/inet.h>

#include "base/banned.h"

enum { HOST_NAME_MAX_SIZE = 253, HOST_LABEL_MAX = 63 };

/* What inet_pton and inet_ntop do to the text: parse and print, no I/O. False when it is no address
 * of the family. */
static bool reprint_address(int family, struct bytes text, char out[INET6_ADDRSTRLEN])
{
    char in[INET6_ADDRSTRLEN];
    unsigned char address[16];

    if (text.size >= sizeof in || (text.size != 0 && memchr(text.data, '\0', text.size) != NULL))
        return false;
    if (text.size != 0)
        memcpy(in, text.data, text.size);
    in[text.size] = '\0';
    return inet_pton(family, in, address) == 1 &&
           inet_ntop(family, address, out, INET6_ADDRSTRLEN) != NULL;
}

static bool copy_text(struct arena *arena, struct bytes text, struct bytes *out)
{
    uint8_t *copy = arena_alloc(arena, text.size, 1);

    if (copy == NULL)
        return false;
    memcpy(copy, text.data, text.size);
    *out = bytes_from(copy, text.size);
    return true;
}

static bool canonical_ipv6(struct bytes text, struct arena *arena, struct bytes *out)
{
    char address[INET6_ADDRSTRLEN], bracketed[INET6_ADDRSTRLEN + 2];

    if (!reprint_address(AF_INET6, text, address))
        return false;
    int size = snprintf(bracketed, sizeof bracketed, "[%s]", address);
    return copy_text(arena, bytes_from(bracketed, (size_t)size), out);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Whether the last label is a number, decimal or hexadecimal: such a name is an IPv4 address or
 * nothing (as in the URL Standard), lest 127.1 or 0x7f.1 be one to the host's resolver. */
static bool ends_in_number(struct bytes name)
{
    size_t start = name.size, at;

    while (start > 0 && name.data[start - 1] != '.')
        start--;
    for (at = start; at < name.size && is_digit(name.data[at]);)
        at++;
    if (at == name.size)
        return start < name.size;
    if (at != start + 1 || name.data[start] != '0' || (name.data[at] | 0x20) != 'x')
        return false;
    for (at++; at < name.size && is_hex_digit(name.data[at]);)
        at++;
    return at == name.size;
}

/* Lower case, in place; false when it is no domain name. */
static bool canonical_name(uint8_t *name, size_t size)
{
    size_t label = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t c = name[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == '.') {
            if (label == 0 || name[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!is_letter && !is_digit(c) && c != '_' && !(c == '-' && label != 0))
            return false;
        if (++label > HOST_LABEL_MAX)
            return false;
        if (c >= 'A' && c <= 'Z')
            name[i] = (uint8_t)(c - 'A' + 'a');
    }
    return label != 0 && name[size - 1] != '-';
}

bool config_host_canonical(struct bytes host, struct arena *arena, struct bytes *out)
{
    char address[INET6_ADDRSTRLEN];
    struct bytes copy;

    if (host.size == 0 || host.size > HOST_NAME_MAX_SIZE)
        return false;
    if (host.data[0] == '[')
        return host.size > 2 && host.data[host.size - 1] == ']' &&
               canonical_ipv6(bytes_from(host.data + 1, host.size - 2), arena, out);
    /* libraries differ in what they let pass (leading zeros): what prints as it was is right */
    if (ends_in_number(host) &&
        (!reprint_address(AF_INET, host, address) || !bytes_is(host, address)))
        return false;
    if (!copy_text(arena, host, &copy) ||
        !canonical_name((uint8_t *)(uintptr_t)copy.data, copy.size))
        return false;
    *out = copy;
    return true;
}

bool config_address_canonical(struct bytes address, struct arena *arena, struct bytes *out)
{
    return canonical_ipv6(address, arena, out) || config_host_canonical(address, arena, out);
}

bool config_port_parse(struct bytes text, uint16_t *out)
{
    uint32_t port = 0;

    if (text.size == 0 || text.size > 5)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return false;
        port = port * 10 + (text.data[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* Where the host ends: at its bracket, or at the first ':'. */
static size_t host_end(struct bytes text)
{
    bool is_bracketed = text.size != 0 && text.data[0] == '[';
    const uint8_t *end =
        text.size != 0 ? memchr(text.data, is_bracketed ? ']' : ':', text.size) : NULL;

    if (end == NULL)
        return text.size;
    return (size_t)(end - text.data) + is_bracketed;
}

bool config_host_parse(struct bytes text, struct arena *arena, struct bytes *host, uint16_t *port,
                       struct err *err)
{
    size_t end = host_end(text);
    struct bytes canonical;
    uint16_t number = 0;

    if (end < text.size && (text.data[end] != ':' ||
                            !config_port_parse(bytes_after(text, end + 1), &number) || number == 0))
        return err_set(err, ERR_FORMAT, "a port after the host is 1 to 65535, at offset", end);
    if (!config_host_canonical(bytes_before(text, end), arena, &canonical))
        return err_set(err, ERR_FORMAT, "not a host name or address, at offset", 0);
    *host = canonical;
    *port = number;
    return true;
}
