// What Swift cannot import of OpenSSL (macros, variadic functions) gets an inline function here.
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// The selection of a public key's parts, a macro that Swift cannot read.
static const int weft_EVP_PKEY_PUBLIC_KEY = EVP_PKEY_PUBLIC_KEY;
