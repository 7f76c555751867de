import HTTPTypes
import Hummingbird
import WeftConfig
import WeftStore

/// The control plane's own state, and the description of the API.
struct ControlRoutes: Sendable {
  let store: any Store
  let mesh: any MeshStatus
  let watches: WatchRoute
  let metrics: APIMetrics
  let sources: [any MetricsSource]
  let document: JSONValue

  var endpoints: [APIEndpoint] {
    [
      APIEndpoint(.get, "/healthz", nil, "200 while the process answers") { _, _ in
        Response(["status": "ok"])
      },
      APIEndpoint(.get, "/readyz", nil, "200 while the store can be read and written") { _, _ in
        try await store.check()
        return Response(["status": "ok"])
      },
      APIEndpoint(.get, "/metrics", .read, "Metrics of the control plane in Prometheus' text format", page),
      APIEndpoint(.get, "/openapi.json", .read, "This document") { _, _ in Response(document) },
    ]
  }

  @Sendable private func page(_ request: Request, _ context: APIContext) async throws -> Response {
    var page = MetricsPage()
    metrics.write(to: &page)
    page.family("weft_control_api_watches", .gauge, "Watches that are open.")
    page.sample("weft_control_api_watches", [], Double(watches.active))
    page.family("weft_control_store_revision", .gauge, "The store's latest revision.")
    page.sample("weft_control_store_revision", [], Double(try await store.revision()))
    let proxies = await mesh.proxies()
    page.family("weft_control_proxies", .gauge, "Proxies, by kind and by whether they have the newest configuration.")
    for kind in [ProxyStatus.Kind.gateway, .sidecar] {
      for sync in [ProxyStatus.Sync.synced, .syncing, .stale, .disconnected] {
        let count = proxies.count { $0.kind == kind && $0.sync == sync }
        page.sample("weft_control_proxies", [("kind", kind.rawValue), ("sync", sync.rawValue)], Double(count))
      }
    }
    page.family("weft_control_rejected_resources", .gauge, "Resources that proxies refuse, each proxy counted.")
    page.sample("weft_control_rejected_resources", [], Double(proxies.reduce(0) { $0 + $1.rejections.count }))
    for source in sources { await source.write(to: &page) }
    return Response(
      status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: page.text)))
  }
}
