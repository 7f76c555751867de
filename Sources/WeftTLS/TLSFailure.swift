import COpenSSL
import WeftIO

/// Why a handshake or a TLS connection failed: a reason to count by, and a sentence that names the certificate.
public struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What metrics tell apart; `rawValue` is the label.
  public enum Reason: String, Sendable, CaseIterable {
    case expired
    case notYetValid = "not_yet_valid"
    case unknownAuthority = "unknown_authority"
    case revoked
    /// No usable revocation list of the certificate's authority.
    case noRevocationList = "no_revocation_list"
    case wrongName = "wrong_name"
    case badCertificate = "bad_certificate"
    case noCertificate = "no_certificate"
    /// The client asked for a name that no certificate is for.
    case unknownServerName = "unknown_server_name"
    case protocolVersion = "protocol_version"
    case noSharedCipher = "no_shared_cipher"
    case noSharedProtocol = "no_shared_protocol"
    /// A plain HTTP request came to a TLS port.
    case plainHTTP = "plain_http"
    /// The bytes are no TLS, or break its rules.
    case malformed
    /// The peer sent an alert.
    case alert
    /// The peer closed the connection.
    case closed
    case timeout
    /// Too many handshakes are under way.
    case overload
    case `internal`
  }

  public let reason: Reason
  /// One clause: `expired 3 days ago: CN=client`.
  public let message: String

  public init(_ reason: Reason, _ message: String) {
    self.reason = reason
    self.message = message
  }

  public var description: String { message }
}

extension TLSFailure {
  /// What a refused certificate comes to.
  /// - Parameters:
  ///   - code: OpenSSL's X509_V_ERR code.
  ///   - now: seconds since 1970.
  static func certificate(_ code: Int, _ certificate: CertificateInfo?, now: Int64) -> TLSFailure {
    let who = certificate.map { ": \($0.subject.isEmpty ? "serial \($0.serial)" : $0.subject)" } ?? ""
    switch Int32(truncatingIfNeeded: code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      let since = certificate.map { " \(Span.text(now - $0.notAfter)) ago" } ?? ""
      return TLSFailure(.expired, "expired\(since)\(who)")
    case X509_V_ERR_CERT_NOT_YET_VALID:
      let until = certificate.map { " for \(Span.text($0.notBefore - now))" } ?? ""
      return TLSFailure(.notYetValid, "not valid yet\(until)\(who)")
    case X509_V_ERR_CERT_REVOKED: return TLSFailure(.revoked, "revoked\(who)")
    case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
      return TLSFailure(.noRevocationList, "\(text(code))\(who)")
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH, X509_V_ERR_EMAIL_MISMATCH:
      let names = certificate.map {
        $0.names.isEmpty ? " (it names nobody)" : " (it is for \($0.names.joined(separator: ", ")))"
      }
      return TLSFailure(.wrongName, "the certificate is for another name\(who)\(names ?? "")")
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
      let issuer = certificate.map { ", issued by \($0.issuer)" } ?? ""
      return TLSFailure(.unknownAuthority, "\(text(code))\(who)\(issuer)")
    default: return TLSFailure(.badCertificate, "\(text(code))\(who)")
    }
  }

  private static func text(_ code: Int) -> String { String(cString: X509_verify_cert_error_string(code)) }

  /// The oldest error that OpenSSL queued on this thread, which is the cause of the others; empties the queue.
  static func queued() -> TLSFailure {
    let error = ERR_get_error()
    ERR_clear_error()
    if error == 0 { return TLSFailure(.closed, "the peer closed the connection") }
    let text = ERR_reason_error_string(error).map { String(cString: $0) } ?? "error \(error)"
    guard weft_error_is_ssl(error) != 0 else { return TLSFailure(.malformed, text) }
    switch weft_error_reason(error) {
    case SSL_R_HTTP_REQUEST: return TLSFailure(.plainHTTP, "a plain HTTP request came to a TLS port")
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return TLSFailure(.closed, "the peer closed the connection without a word")
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNKNOWN_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_WRONG_SSL_VERSION,
      SSL_R_NO_PROTOCOLS_AVAILABLE:
      return TLSFailure(.protocolVersion, text)
    case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SUITABLE_KEY_SHARE,
      SSL_R_NO_SHARED_GROUPS:
      return TLSFailure(.noSharedCipher, text)
    case SSL_R_NO_APPLICATION_PROTOCOL: return TLSFailure(.noSharedProtocol, "no application protocol in common")
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return TLSFailure(.noCertificate, "the client sent no certificate")
    case SSL_R_CALLBACK_FAILED: return TLSFailure(.internal, text)
    // Alerts of the peer: SSL_AD_REASON_OFFSET is 1000.
    case let reason where reason >= 1000: return TLSFailure(.alert, "the peer refused: \(text)")
    default: return TLSFailure(.malformed, text)
    }
  }
}

/// A span of time in words.
enum Span {
  /// `3 days`, `1 hour`: the largest whole unit.
  static func text(_ seconds: Int64) -> String {
    let s = max(seconds, 0)
    let (count, unit): (Int64, String) =
      s >= 86_400
      ? (s / 86_400, "day") : s >= 3_600 ? (s / 3_600, "hour") : s >= 60 ? (s / 60, "minute") : (s, "second")
    return "\(count) \(unit)\(count == 1 ? "" : "s")"
  }
}
