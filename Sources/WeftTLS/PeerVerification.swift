import COpenSSL

/// OpenSSL's callback for each certificate of a peer's chain: checks names, and remembers which certificate was refused
/// and why.
let verifyPeer: @convention(c) (Int32, OpaquePointer?) -> Int32 = { accepted, store in
  guard let store, let raw = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
    let session = TLSSession(OpaquePointer(raw))
  else { return 0 }
  let state = session.state
  var code = X509_STORE_CTX_get_error(store)
  let certificate = X509_STORE_CTX_get_current_cert(store)
  if accepted == 1 {
    guard X509_STORE_CTX_get_error_depth(store) == 0, let subjects = session.expectedSubjects, !subjects.isEmpty else {
      return 1
    }
    let info = certificate.flatMap { CertificateInfo($0) }
    if let info, subjects.contains(where: { $0.matches(info) }) { return 1 }
    code = X509_V_ERR_HOSTNAME_MISMATCH
    X509_STORE_CTX_set_error(store, code)
  }
  if state.pointee.failure == nil {
    state.pointee.failure = TLSFailure.certificate(
      Int(code), certificate.flatMap { CertificateInfo($0) }, now: UnixSeconds.now())
  }
  return session.toleratesInvalidPeer ? 1 : 0
}
