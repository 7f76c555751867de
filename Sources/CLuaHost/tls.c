// What a script may know of the TLS of the client's connection, and of the certificates in it.
#include "host.h"

static wl_text ask(lua_State *L, int kind, int which) {
  wl_slot *s = wl_self(L, kind);
  return s->host->calls.tls(s->exchange, s->owner, which);
}

static int push_answer(lua_State *L, wl_text tape) {
  wl_push_tape(L, tape);
  return 1;
}

static int push_flag(lua_State *L, int which) {
  wl_text tape = ask(L, WL_TLS, which);
  if (tape.base) return push_answer(L, tape);
  lua_pushboolean(L, 0);
  return 1;
}

static int push_number(lua_State *L, int which) {
  wl_text tape = ask(L, WL_TLS, which);
  if (tape.base) return push_answer(L, tape);
  lua_pushinteger(L, 0);
  return 1;
}

static int push_text_of(lua_State *L, int kind, int which, const char *none) {
  wl_text tape = ask(L, kind, which);
  if (tape.base) return push_answer(L, tape);
  lua_pushstring(L, none);
  return 1;
}

static int push_list_of(lua_State *L, int kind, int which) {
  wl_text tape = ask(L, kind, which);
  if (tape.base) return push_answer(L, tape);
  lua_newtable(L);
  return 1;
}

static int push_text(lua_State *L, int which) { return push_text_of(L, WL_TLS, which, ""); }
static int push_list(lua_State *L, int which) { return push_list_of(L, WL_TLS, which); }

static int peer_presented(lua_State *L) { return push_flag(L, WL_TLS_PEER_PRESENTED); }
static int peer_validated(lua_State *L) { return push_flag(L, WL_TLS_PEER_VALIDATED); }
static int uri_sans_local(lua_State *L) { return push_list(L, WL_TLS_URI_SANS_LOCAL); }
static int sha256_peer(lua_State *L) { return push_text(L, WL_TLS_SHA256_PEER); }
static int serial_peer(lua_State *L) { return push_text(L, WL_TLS_SERIAL_PEER); }
static int issuer_peer(lua_State *L) { return push_text(L, WL_TLS_ISSUER_PEER); }
static int subject_peer(lua_State *L) { return push_text(L, WL_TLS_SUBJECT_PEER); }
static int uri_sans_peer(lua_State *L) { return push_list(L, WL_TLS_URI_SANS_PEER); }
static int subject_local(lua_State *L) { return push_text(L, WL_TLS_SUBJECT_LOCAL); }
static int pem_peer(lua_State *L) { return push_text(L, WL_TLS_PEM_PEER); }
static int pem_chain_peer(lua_State *L) { return push_text(L, WL_TLS_PEM_CHAIN_PEER); }
static int dns_sans_peer(lua_State *L) { return push_list(L, WL_TLS_DNS_SANS_PEER); }
static int dns_sans_local(lua_State *L) { return push_list(L, WL_TLS_DNS_SANS_LOCAL); }
static int oids_peer(lua_State *L) { return push_list(L, WL_TLS_OIDS_PEER); }
static int oids_local(lua_State *L) { return push_list(L, WL_TLS_OIDS_LOCAL); }
static int valid_from_peer(lua_State *L) { return push_number(L, WL_TLS_VALID_FROM_PEER); }
static int expiration_peer(lua_State *L) { return push_number(L, WL_TLS_EXPIRATION_PEER); }
static int session_id(lua_State *L) { return push_text(L, WL_TLS_SESSION_ID); }
static int cipher_suite(lua_State *L) { return push_text(L, WL_TLS_CIPHER_SUITE); }
static int version(lua_State *L) { return push_text(L, WL_TLS_VERSION); }

static int cipher_suite_id(lua_State *L) { return push_text_of(L, WL_TLS, WL_TLS_CIPHER_SUITE_ID, "0xffff"); }

static int parsed_subject(lua_State *L) {
  wl_slot *s = wl_self(L, WL_TLS);
  if (s->host->calls.tls(s->exchange, s->owner, WL_TLS_SUBJECT_PEER).base) return wl_push_object(L, s, WL_PEER_NAME);
  lua_pushnil(L);
  return 1;
}

const luaL_Reg wl_tls_methods[] = {
    {"peerCertificatePresented", peer_presented},
    {"peerCertificateValidated", peer_validated},
    {"uriSanLocalCertificate", uri_sans_local},
    {"sha256PeerCertificateDigest", sha256_peer},
    {"serialNumberPeerCertificate", serial_peer},
    {"issuerPeerCertificate", issuer_peer},
    {"subjectPeerCertificate", subject_peer},
    {"parsedSubjectPeerCertificate", parsed_subject},
    {"uriSanPeerCertificate", uri_sans_peer},
    {"subjectLocalCertificate", subject_local},
    {"urlEncodedPemEncodedPeerCertificate", pem_peer},
    {"urlEncodedPemEncodedPeerCertificateChain", pem_chain_peer},
    {"dnsSansPeerCertificate", dns_sans_peer},
    {"dnsSansLocalCertificate", dns_sans_local},
    {"oidsPeerCertificate", oids_peer},
    {"oidsLocalCertificate", oids_local},
    {"validFromPeerCertificate", valid_from_peer},
    {"expirationPeerCertificate", expiration_peer},
    {"sessionId", session_id},
    {"ciphersuiteId", cipher_suite_id},
    {"ciphersuiteString", cipher_suite},
    {"tlsVersion", version},
    {NULL, NULL},
};

static int common_name(lua_State *L) { return push_text_of(L, WL_PEER_NAME, WL_TLS_COMMON_NAME_PEER, ""); }
static int organization(lua_State *L) { return push_list_of(L, WL_PEER_NAME, WL_TLS_ORGANIZATIONS_PEER); }

const luaL_Reg wl_peer_name_methods[] = {{"commonName", common_name}, {"organizationName", organization}, {NULL, NULL}};
