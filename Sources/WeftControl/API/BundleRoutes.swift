import HTTPTypes
import Hummingbird
import NIOCore
import WeftConfig

/// The bundle registry.
struct BundleRoutes: Sendable {
  let registry: BundleRegistry

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(
        .post, "/weft/v1/bundles", .publish,
        "Pushes a bundle: the archive as application/octet-stream",
        query: ["tags"], status: 201, hasBody: true, bodyType: "application/octet-stream", push),
      APIEndpoint(
        .get, "/weft/v1/bundles", .read, "Versions and tags of all bundles", query: ["name"]
      ) { request, _ in
        let records = try await registry.records()
        let name = APIQuery(request).text("name")
        return Response([
          "bundles": .array(records.filter { name == nil || $0.name == name }.map(\.json))
        ])
      },
      APIEndpoint(
        .get, "/weft/v1/bundles/{name}/{reference}", .read,
        "What a version, a tag or a digest of a bundle names"
      ) { _, context in
        Response(
          try await registry.resolve(
            try context.parameter("name"), try context.parameter("reference")
          ).json)
      },
      APIEndpoint(
        .put, "/weft/v1/bundles/{name}/{reference}", .publish,
        "Sets a tag: the reference is the tag, and a body {\"to\": VERSION, TAG or DIGEST} says what it names",
        hasBody: true
      ) { request, context in
        guard let target = try await APIBody.value(request)["to"]?.string else {
          throw APIProblem(.unprocessableContent, "the body is {\"to\": VERSION, TAG or DIGEST}")
        }
        return Response(
          try await registry.tag(
            try context.parameter("name"), try context.parameter("reference"), at: target,
            by: context.author))
      },
      APIEndpoint(
        .delete, "/weft/v1/bundles/{name}/{reference}", .publish,
        "Deletes a version, unless a FilterBundle uses it, or a tag"
      ) { _, context in
        let (name, reference) = (try context.parameter("name"), try context.parameter("reference"))
        try await registry.delete(name, reference, by: context.author)
        return Response(["name": .string(name), "deleted": .string(reference)])
      },
      APIEndpoint(.get, "/weft/v1/blobs/{digest}", .read, "The archive of a bundle") { _, context in
        try await blob(context) { $0.archive }
      },
      APIEndpoint(.get, "/weft/v1/blobs/{digest}/signatures", .read, "The signatures of an archive") { _, context in
        try await blob(context) { blob in
          guard let signatures = blob.signatures else {
            throw APIProblem(.notFound, "the bundle is not signed")
          }
          return signatures
        }
      },
      APIEndpoint(
        .put, "/weft/v1/blobs/{digest}/signatures", .publish,
        "Puts signatures beside an archive, as weft bundle sign writes them (application/yaml)",
        hasBody: true, bodyType: "application/yaml"
      ) { request, context in
        _ = try APIBody.format(request)
        let bytes = try await APIBody.bytes(request, limit: BlobStore.maxSignatures)
        let digest = try context.parameter("digest")
        do { try await registry.sign(digest, bytes, by: context.author) } catch let failure
          as BlobStore.Failure
        {
          throw Self.problem(failure)
        }
        return Response(["digest": .string(digest)])
      },
      APIEndpoint(
        .post, "/weft/v1/blobs/collect", .publish,
        "Deletes archives that no version, tag or FilterBundle refers to and that are older than an hour",
        query: ["dryRun"], hasBody: true
      ) { request, _ in
        _ = try APIBody.format(request)
        let removed = try await registry.collect(
          isDryRun: try APIQuery(request).writeOptions.isDryRun)
        return Response([
          "removed": .array(
            removed.map { ["digest": .string($0.digest), "bytes": .number("\($0.bytes)")] })
        ])
      },
    ]
  }

  @Sendable private func push(_ request: Request, _ context: APIContext) async throws -> Response {
    let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" }
    guard type == "application/octet-stream" else {
      throw APIProblem(.unsupportedMediaType, "a bundle is pushed as application/octet-stream")
    }
    let tags = APIQuery(request).text("tags")?.split(separator: ",").map(String.init) ?? []
    if tags.count > 20 {
      throw APIProblem(.badRequest, "\(tags.count) tags; at most 20 are set at a time")
    }
    let archive = try await APIBody.bytes(request, limit: BlobStore.maxLength)
    do {
      let (record, isNew) = try await registry.push(archive, tags: tags, by: context.author)
      return Response(record, status: isNew ? .created : .ok)
    } catch let failure as BlobStore.Failure {
      throw Self.problem(failure)
    }
  }

  private func blob(
    _ context: APIContext, _ part: ((archive: [UInt8], signatures: [UInt8]?)) throws -> [UInt8]
  ) async throws -> Response {
    do {
      let bytes = try part(try await registry.read(try context.parameter("digest")))
      return Response(
        status: .ok, headers: [.contentType: "application/octet-stream"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    } catch let failure as BlobStore.Failure {
      throw Self.problem(failure)
    }
  }

  private static func problem(_ failure: BlobStore.Failure) -> APIProblem {
    switch failure {
    case .missing: APIProblem(.notFound, failure.description)
    case .damaged, .unreadable: APIProblem(.serviceUnavailable, failure.description)
    }
  }
}
