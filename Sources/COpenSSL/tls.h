// Macros of libssl and libcrypto that WeftTLS needs, as functions.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

// Options and modes that every context has. Renegotiation and compression are off; a write may end early and go on from
// a copy of the bytes; buffers go back between records.
static inline void weft_ctx_harden(SSL_CTX *ctx, int kernel_tls) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
#ifndef OPENSSL_NO_KTLS
  if (kernel_tls) SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
#else
  (void)kernel_tls;
#endif
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_security_level(ctx, 2);
}

static inline int weft_ctx_versions(SSL_CTX *ctx, int min, int max) {
  return SSL_CTX_set_min_proto_version(ctx, min) && SSL_CTX_set_max_proto_version(ctx, max);
}
static inline int weft_ssl_versions(SSL *ssl, int min, int max) {
  return SSL_set_min_proto_version(ssl, min) && SSL_set_max_proto_version(ssl, max);
}
static inline int weft_ctx_groups(SSL_CTX *ctx, const char *list) { return SSL_CTX_set1_groups_list(ctx, list) == 1; }
static inline int weft_ctx_signatures(SSL_CTX *ctx, const char *list) {
  return SSL_CTX_set1_sigalgs_list(ctx, list) == 1;
}
static inline int weft_ssl_groups(SSL *ssl, const char *list) { return SSL_set1_groups_list(ssl, list) == 1; }
static inline void weft_ctx_cache_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_session_cache_mode(ctx, mode); }
static inline int weft_ctx_add_chain(SSL_CTX *ctx, X509 *x) { return SSL_CTX_add1_chain_cert(ctx, x) == 1; }
static inline int weft_ctx_server_name_callback(SSL_CTX *ctx, int (*cb)(SSL *, int *, void *)) {
  return SSL_CTX_set_tlsext_servername_callback(ctx, cb) == 1;
}
static inline int weft_ctx_ticket_callback(
    SSL_CTX *ctx, int (*cb)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int)) {
  return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, cb) == 1;
}
static inline int weft_ctx_staple_callback(SSL_CTX *ctx, int (*cb)(SSL *, void *), void *arg) {
  return SSL_CTX_set_tlsext_status_cb(ctx, cb) == 1 && SSL_CTX_set_tlsext_status_arg(ctx, arg) == 1;
}
static inline int weft_ssl_set_staple(SSL *ssl, const unsigned char *bytes, int length) {
  unsigned char *copy = (unsigned char *)OPENSSL_memdup(bytes, (size_t)length);
  if (copy == NULL) return 0;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, length);  // takes it over
  return 1;
}
static inline int weft_ssl_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name) == 1; }
static inline int weft_ssl_kernel_send(SSL *ssl) {
  BIO *bio = SSL_get_wbio(ssl);
  return bio != NULL && BIO_get_ktls_send(bio);
}
static inline int weft_ssl_kernel_receive(SSL *ssl) {
  BIO *bio = SSL_get_rbio(ssl);
  return bio != NULL && BIO_get_ktls_recv(bio);
}
static inline int weft_error_is(unsigned long error, int library, int reason) {
  return ERR_GET_LIB(error) == library && ERR_GET_REASON(error) == reason;
}
static inline int weft_error_is_ssl(unsigned long error) { return ERR_GET_LIB(error) == ERR_LIB_SSL; }
static inline int weft_error_reason(unsigned long error) { return ERR_GET_REASON(error); }

static inline long weft_bio_memory(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }
static inline int weft_name_print(BIO *bio, const X509_NAME *name) {
  return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
}
static inline int weft_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
// The type of a name (GEN_DNS, GEN_URI, GEN_IPADD, GEN_EMAIL) and its bytes; -1 for other types.
static inline int weft_name_at(const GENERAL_NAMES *names, int i, const unsigned char **bytes, int *length) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
  const ASN1_STRING *text;
  if (name == NULL) return -1;
  switch (name->type) {
    case GEN_DNS: text = name->d.dNSName; break;
    case GEN_URI: text = name->d.uniformResourceIdentifier; break;
    case GEN_EMAIL: text = name->d.rfc822Name; break;
    case GEN_IPADD: text = name->d.iPAddress; break;
    default: return -1;
  }
  *bytes = ASN1_STRING_get0_data(text);
  *length = ASN1_STRING_length(text);
  return name->type;
}
static inline void weft_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }
static inline const unsigned char *weft_string_bytes(const ASN1_STRING *s) { return ASN1_STRING_get0_data(s); }
// The time until which an OCSP response is good, as text for ASN1_TIME; NULL when it has no end or no answer.
static inline ASN1_GENERALIZEDTIME *weft_ocsp_next_update(OCSP_BASICRESP *basic) {
  ASN1_GENERALIZEDTIME *next = NULL;
  OCSP_SINGLERESP *single = OCSP_resp_get0(basic, 0);
  if (single == NULL) return NULL;
  OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
  return next;
}
static inline int weft_store_crl_flags(X509_STORE *store) {
  return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}
static inline int weft_store_partial_chain(X509_STORE *store) {
  return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
}
// Adds the subject to the names that a server tells its clients.
static inline int weft_ctx_add_client_ca(SSL_CTX *ctx, X509 *ca) { return SSL_CTX_add_client_CA(ctx, ca) == 1; }

// Keys HMAC-SHA256.
static inline int weft_mac_setup(EVP_MAC_CTX *mac, const unsigned char *secret, size_t count) {
  OSSL_PARAM parameters[3];
  parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)secret, count);
  parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
  parameters[2] = OSSL_PARAM_construct_end();
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}
