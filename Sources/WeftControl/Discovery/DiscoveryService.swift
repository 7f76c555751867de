import Foundation
import GRPCCore
import WeftIdentity
import WeftProtocol

/// The gRPC side of discovery: one call a proxy. It reads; everything else is the hub's, which writes when there is something
/// to say: a stream that is idle has one task beside the call's own.
struct DiscoveryService: Weft_Discovery_V1_Discovery.SimpleServiceProtocol {
  let hub: DiscoveryHub
  let authority: Authority
  let bundles: BundleSource
  let audit: IdentityAudit

  /// Bytes of a part of an archive.
  private static let chunk = 256 << 10

  func connect(
    request: RPCAsyncSequence<Weft_Discovery_V1_ProxyMessage, any Error>,
    response: RPCWriter<Weft_Discovery_V1_ControlMessage>, context: ServerContext
  ) async throws {
    let peer = try await authenticate(context)
    let number = try await hub.open(peer, response)
    // A task of its own that can be ended alone: when the call itself were cancelled, its status could not be sent.
    let reader = Task {
      for try await message in request {
        if let rest = try await hub.receive(message, on: number) { try await Task(operation: rest).value }
      }
    }
    await hub.attach(number) { reader.cancel() }
    let result = await withTaskCancellationHandler {
      await reader.result
    } onCancel: {
      reader.cancel()
    }
    // The proxy left, it was sent away, or it broke the rules, which it is told.
    let wasEnded = await hub.close(number)
    if case .failure(let error) = result, !wasEnded { throw error }
  }

  func fetchBundle(
    request: Weft_Discovery_V1_BundleRequest, response: RPCWriter<Weft_Discovery_V1_BundleChunk>, context: ServerContext
  ) async throws {
    _ = try await authenticate(context)
    let blob: BundleSource.Blob
    do { blob = try await bundles.read(request.digest) } catch let failure as BlobStore.Failure {
      switch failure {
      case .missing: throw RPCError(code: .notFound, message: failure.description)
      case .damaged: throw RPCError(code: .dataLoss, message: failure.description)
      case .unreadable: throw RPCError(code: .unavailable, message: failure.description)
      }
    } catch {
      throw RPCError(code: .unavailable, message: "the archive cannot be read: \(error)")
    }
    var first = Weft_Discovery_V1_BundleChunk()
    first.size = UInt64(blob.archive.count)
    if let signatures = blob.signatures { first.signatures = [Data(signatures)] }
    first.data = blob.archive.prefix(Self.chunk)
    try await response.write(first)
    var start = Self.chunk
    while start < blob.archive.count {
      var part = Weft_Discovery_V1_BundleChunk()
      part.data = blob.archive[start..<min(start + Self.chunk, blob.archive.count)]
      try await response.write(part)
      start += Self.chunk
    }
  }

  private func authenticate(_ context: ServerContext) async throws -> PeerIdentity {
    let authority = authority
    do {
      // In a task of its own: a task keeps the stack that it once needed for as long as it lives, and a stream's task
      // lives as long as the stream.
      return try await Task { try await PeerIdentity.authenticate(context, authority) }.value
    } catch let error as IdentityError {
      await audit.refused("connection refuse", peer: context.remotePeer, reason: error.description)
      throw RPCError(code: .unauthenticated, message: error.description)
    }
  }
}
