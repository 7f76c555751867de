import Foundation
import HTTPTypes
import Hummingbird
import WeftConfig
import WeftIdentity

/// The certificate authority: its roots, and who is revoked.
struct AuthorityRoutes: Sendable {
  let authority: Authority

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(
        .get, "/weft/v1/authority", .administer,
        "The certificate authority: trust domain, roots and when they take turns, who is revoked",
        { _, _ in Response(await authority.status.json) }),
      APIEndpoint(
        .post, "/weft/v1/authority/rotate", .administer,
        "Makes a new root. It is trusted at once and signs after one life of a certificate; the old one is trusted for one more",
        query: ["force"], status: 201, rotate),
      APIEndpoint(
        .post, "/weft/v1/authority/revocations", .administer,
        "Refuses everything that was issued to a workload until now: a body {\"namespace\", \"name\", \"reason\"}. A join token made later lets it in again",
        status: 201, hasBody: true, revoke),
    ]
  }

  @Sendable private func rotate(_ request: Request, _ context: APIContext) async throws -> Response {
    let status = await authority.status
    if let next = status.roots.first(where: { $0.state == .next }), try !APIQuery(request).flag("force") {
      throw APIProblem(
        .conflict,
        "a rotation is under way: the root \(next.fingerprint.prefix(16)) signs from \(AuthorityStatus.text(next.signsFrom)); with force=1 another one begins now"
      )
    }
    let author = context.author
    let fingerprint = try await authority.rotateRoot { root in
      [
        AuditLog.entry(
          "authority rotate", by: author,
          [.init(subject: ["root": .string(root)], outcome: "created", differences: [])])
      ]
    }
    var value = await authority.status.json
    value["root"] = .string(fingerprint)
    return Response(value, status: .created)
  }

  @Sendable private func revoke(_ request: Request, _ context: APIContext) async throws -> Response {
    let body = try await APIBody.value(request)
    let namespace = body["namespace"]?.string ?? "default"
    guard let name = body["name"]?.string else { throw APIProblem(.unprocessableContent, "name is missing") }
    let reason = body["reason"]?.string ?? ""
    do {
      try await authority.revoke(
        namespace: namespace, name: name, by: context.author.name, reason: reason,
        noting: [
          AuditLog.entry(
            "workload revoke", by: context.author,
            [
              .init(
                subject: ["namespace": .string(namespace), "name": .string(name), "reason": .string(reason)],
                outcome: "revoked", differences: [])
            ])
        ])
    } catch let error as IdentityError {
      throw APIProblem(.unprocessableContent, error.description)
    }
    return Response(
      ["namespace": .string(namespace), "name": .string(name), "outcome": "revoked"], status: .created)
  }
}

extension AuthorityStatus {
  static func text(_ time: Double) -> String { ResourceDocument.timestamp(Date(timeIntervalSince1970: time)) }

  var json: JSONValue {
    [
      "trustDomain": .string(trustDomain), "certificateLifetimeSeconds": .number("\(Int(certificateLifetime))"),
      "roots": .array(
        roots.map { root in
          var value: JSONValue = [
            "fingerprint": .string(root.fingerprint), "state": .string(root.state.rawValue),
            "signsFrom": .string(Self.text(root.signsFrom)), "notAfter": .string(Self.text(root.notAfter)),
          ]
          value["trustedUntil"] = root.trustedUntil.map { .string(Self.text($0)) }
          return value
        }),
      "rootsPEM": .string(pem),
      "revoked": .array(
        revoked.map {
          [
            "namespace": .string($0.namespace), "name": .string($0.name), "since": .string(Self.text($0.since)),
            "by": .string($0.by), "reason": .string($0.reason),
          ]
        }),
    ]
  }
}
