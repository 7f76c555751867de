import Glibc

/// Encryption of records in the kernel (tls.rst of the kernel's documentation).
public enum KernelTLS {
  /// Whether this kernel has it loaded. Asked once, so that no connection tries in vain.
  public static let isAvailable: Bool = {
    let fd = open("/proc/sys/net/ipv4/tcp_available_ulp", O_RDONLY | O_CLOEXEC)
    if fd < 0 { return false }
    defer { close(fd) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let n = read(fd, &bytes, bytes.count)
    if n <= 0 { return false }
    return String(decoding: bytes[..<n], as: UTF8.self).split(whereSeparator: \.isWhitespace).contains("tls")
  }()
}
