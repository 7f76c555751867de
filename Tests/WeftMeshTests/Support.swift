import Foundation
import WeftConfig

@testable import WeftMesh

func gatewayOptions(_ name: String = "edge") -> MeshOptions {
  MeshOptions(
    kind: .gateway, namespace: "default", name: name, instance: "i", control: ["127.0.0.1:1"], stateFolder: "/nowhere")
}

func sidecarOptions(_ name: String = "reviews") -> MeshOptions {
  MeshOptions(
    kind: .sidecar, namespace: "default", name: name, instance: "i", control: ["127.0.0.1:1"], stateFolder: "/nowhere")
}

/// Resources by type and JSON text; the name is read from the text.
func held(_ resources: (type: String, json: String)...) -> HeldResources {
  var held = HeldResources()
  for (type, json) in resources { if let resource = resource(type, json) { held.put(resource) } }
  return held
}

func resource(_ type: String, _ json: String, version: String = "1") -> HeldResource? {
  let body = Array(json.utf8)
  let metadata = (try? JSONValue(parsing: body))?["metadata"]
  let name = metadata?["name"]?.string ?? ""
  let namespace = metadata?["namespace"]?.string ?? "default"
  return HeldResource(type: type, name: "\(namespace)/\(name)", version: version, body: body)
}

func service(_ name: String) -> (type: String, json: String) {
  (ResourceType.weftService, #"{"apiVersion":"weft.dev/v1","kind":"Service","metadata":{"name":"\#(name)"},"spec":{}}"#)
}

/// A route with one rule, to backends.
func route(
  _ name: String, parent: String, to backends: [String], filters: String = "[]", annotations: String = "{}"
) -> (type: String, json: String) {
  let refs = backends.map { #"{"group":"weft.dev","kind":"Service","name":"\#($0)"}"# }.joined(separator: ",")
  return (
    ResourceType.httpRoute,
    """
    {"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute",
     "metadata":{"name":"\(name)","annotations":\(annotations)},
     "spec":{"parentRefs":[\(parent)],"rules":[{"filters":\(filters),"backendRefs":[\(refs)]}]}}
    """
  )
}

let edgeParent = #"{"name":"edge"}"#
func serviceParent(_ name: String) -> String { #"{"group":"weft.dev","kind":"Service","name":"\#(name)"}"# }
