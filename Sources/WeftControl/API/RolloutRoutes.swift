import HTTPTypes
import Hummingbird
import WeftConfig

/// Rollouts of bundles.
struct RolloutRoutes: Sendable {
  let rollouts: Rollouts

  private static let path = "/weft/v1/rollouts/{namespace}/{name}"

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(.get, "/weft/v1/rollouts", .read, "The last rollout of each FilterBundle") { _, _ in
        Response(["rollouts": .array(try await rollouts.list())])
      },
      APIEndpoint(.get, Self.path, .read, "The last rollout of a FilterBundle, and its proxies") { _, context in
        Response(try await rollouts.status(try context.parameter("namespace"), try context.parameter("name")))
      },
      APIEndpoint(
        .post, Self.path, .write,
        "Begins a rollout: {\"to\": VERSION, TAG or DIGEST}, and fields of the FilterBundle's spec.rollout",
        status: 201, hasBody: true
      ) { request, context in
        let body = try await APIBody.value(request)
        return Response(
          try await rollouts.start(
            try context.parameter("namespace"), try context.parameter("name"), body, by: context.author),
          status: .created)
      },
      APIEndpoint(
        .post, Self.path + "/promote", .write,
        "Lets a rollout go on to its next step at once; with {\"toEnd\": true} to its end", hasBody: true
      ) { request, context in
        let isToEnd = try await APIBody.value(request)["toEnd"]?.bool ?? false
        return Response(
          try await rollouts.promote(
            try context.parameter("namespace"), try context.parameter("name"), isToEnd: isToEnd, by: context.author))
      },
      APIEndpoint(.post, Self.path + "/abort", .write, "Takes a rollout back", hasBody: true) { request, context in
        _ = try APIBody.format(request)
        return Response(
          try await rollouts.abort(
            try context.parameter("namespace"), try context.parameter("name"), by: context.author))
      },
      APIEndpoint(
        .post, Self.path + "/rollback", .write,
        "Takes a rollout back, or goes back to the version before the last one", hasBody: true
      ) { request, context in
        _ = try APIBody.format(request)
        return Response(
          try await rollouts.rollback(
            try context.parameter("namespace"), try context.parameter("name"), by: context.author))
      },
    ]
  }
}
