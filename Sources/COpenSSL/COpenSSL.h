// OpenSSL 3 for Swift: what its headers offer as macros only.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if OPENSSL_VERSION_MAJOR < 3
#error "NexaTLS needs OpenSSL 3: install libssl-dev"
#endif

static inline int nexa_ssl_ctx_require_tls12(SSL_CTX *_Nonnull context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline void nexa_ssl_ctx_release_buffers(SSL_CTX *_Nonnull context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
}

static inline void nexa_ssl_ctx_no_sessions(SSL_CTX *_Nonnull context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

// As a function, because their macros are beyond what Swift imports.
static inline void nexa_ssl_ctx_set_options(SSL_CTX *_Nonnull context, int is_server) {
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                     (is_server ? SSL_OP_CIPHER_SERVER_PREFERENCE : 0));
}

static inline long nexa_ssl_set_server_name(SSL *_Nonnull ssl, const char *_Nonnull name) {
    return SSL_set_tlsext_host_name(ssl, name);
}

static inline size_t nexa_bio_pending(BIO *_Nonnull bio) { return BIO_ctrl_pending(bio); }

// Never ask on a terminal for the password of a key.
static inline int nexa_no_password(char *_Nullable buffer, int size, int writing, void *_Nullable context) { return -1; }

static inline void nexa_ssl_ctx_no_password_prompt(SSL_CTX *_Nonnull context) {
    SSL_CTX_set_default_passwd_cb(context, nexa_no_password);
}

static inline SSL *_Nullable nexa_verified_ssl(X509_STORE_CTX *_Nonnull store) {
    return (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

// The day of a time as 2026-11-21, in UTC.
static inline void nexa_asn1_day(const ASN1_TIME *_Nullable time, char *_Nonnull text, size_t size) {
    struct tm parts;
    if (size == 0) return;
    text[0] = 0;
    if (time && ASN1_TIME_to_tm(time, &parts)) {
        snprintf(text, size, "%04d-%02d-%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
    }
}

// The names that a certificate is for, as "a.example, 192.0.2.1"; as many as fit.
static inline void nexa_certificate_names(X509 *_Nonnull certificate, char *_Nonnull text, size_t size) {
    if (size == 0) return;
    text[0] = 0;
    size_t length = 0;
    GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char one[300] = {0};
        if (name->type == GEN_DNS) {
            const ASN1_STRING *string = name->d.dNSName;
            snprintf(one, sizeof one, "%.*s", ASN1_STRING_length(string), ASN1_STRING_get0_data(string));
        } else if (name->type == GEN_IPADD) {
            const unsigned char *b = ASN1_STRING_get0_data(name->d.iPAddress);
            int count = ASN1_STRING_length(name->d.iPAddress);
            if (count == 4) snprintf(one, sizeof one, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
            for (int j = 0; count == 16 && j < 16; j += 2) {
                size_t used = strlen(one);
                snprintf(one + used, sizeof one - used, j ? ":%x" : "%x", b[j] << 8 | b[j + 1]);
            }
        }
        size_t needed = strlen(one) + (length ? 2 : 0);
        if (!one[0] || length + needed + 1 > size) continue;
        snprintf(text + length, size - length, "%s%s", length ? ", " : "", one);
        length += needed;
    }
    GENERAL_NAMES_free(names);
    if (length == 0) X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, (int)size);
}

// Who signed a certificate: its common name, or its organisation.
static inline void nexa_certificate_issuer(X509 *_Nonnull certificate, char *_Nonnull text, size_t size) {
    if (size == 0) return;
    text[0] = 0;
    X509_NAME *name = X509_get_issuer_name(certificate);
    if (X509_NAME_get_text_by_NID(name, NID_commonName, text, (int)size) < 0) {
        X509_NAME_get_text_by_NID(name, NID_organizationName, text, (int)size);
    }
}

#endif
