import Foundation
import X509

/// Serial numbers of the certificates of a mesh: the moment of issue, which the validity does not tell exactly, and 72
/// random bits.
enum CertificateSerial {
  static func make(at now: Date) -> Certificate.SerialNumber {
    let milliseconds = UInt64(max(now.timeIntervalSince1970 * 1_000, 0))
    var bytes: [UInt8] = [1]
    for shift in stride(from: 40, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: milliseconds >> shift)) }
    for _ in 0..<9 { bytes.append(UInt8.random(in: 0...255)) }
    return Certificate.SerialNumber(bytes: bytes)
  }

  /// When a certificate was issued, in seconds since the Unix epoch: by its serial number, or by the begin of its validity
  /// when another authority chose the number.
  static func issued(_ certificate: Certificate) -> Double {
    let bytes = Array(certificate.serialNumber.bytes)
    guard bytes.count == 16, bytes[0] == 1 else { return certificate.notValidBefore.timeIntervalSince1970 }
    return Double(bytes[1...6].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) / 1_000
  }
}
