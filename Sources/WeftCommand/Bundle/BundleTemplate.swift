import WeftConfig
import WeftFilterTest

/// What `weft bundle new` writes.
struct BundleTemplate {
  let name: String

  struct File {
    let path: String
    let purpose: String
    let text: String
  }

  /// What is wrong with a bundle's name; nil when nothing is.
  static func problem(_ name: String) -> String? { StringRule.dnsLabel.problem(name) }

  var files: [File] {
    [
      File(path: "bundle.yaml", purpose: "the manifest: name, version, settings", text: manifest),
      File(path: "main.lua", purpose: "the filter", text: script),
      File(path: "README.md", purpose: "what it does, for its users", text: readme),
      File(path: "tests/main_test.lua", purpose: "its tests", text: tests),
    ] + Self.editorFiles
  }

  static func write(_ files: [File], to folder: String) throws {
    for file in files { try BundleOutput.write(Array(file.text.utf8), to: "\(folder)/\(file.path)") }
  }

  /// Prints what was written.
  static func printList(_ files: [File], in folder: String, json: Bool) {
    if json {
      var object = JSONObject()
      object.add("folder", folder)
      object.add("files", files.map(\.path))
      return print(object)
    }
    var table = Table(columns: ["file", "what it is"])
    for file in files { table.add(["\(folder)/\(file.path)", file.purpose]) }
    print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
  }

  /// What makes editors know the API. No part of the bundle.
  static var editorFiles: [File] {
    EditorHelp.files.map { File(path: $0.path, purpose: $0.purpose, text: $0.text) }
  }

  private var manifest: String {
    """
    name: \(name)
    version: 0.1.0
    description: Says who handled a request, and hides a path.
    license: Apache-2.0

    # What routes may set: a JSON Schema. Scripts read it with settings().
    settings:
      type: object
      properties:
        header:
          type: string
          description: The header that is set on each request and response.
          pattern: "^[a-z][a-z0-9-]*$"
          default: x-handled-by
        hidden:
          type: string
          description: Requests for this path are answered with 404.
          default: /internal
      examples:
      - header: x-gate
        hidden: /admin

    # What a call may use.
    limits:
      memory: 4MiB
      cpu: 10ms

    """
  }

  private var script: String {
    """
    ---Runs for each request, on its way to the service.
    ---@param request weft.Handle
    function on_request(request)
      local settings = request:settings()
      local headers = request:headers()
      if headers:get(":path") == settings.hidden then
        request:respond({[":status"] = "404", ["content-type"] = "text/plain"}, "not found\\n")
        return
      end
      headers:replace(settings.header, "\(name)")
    end

    ---Runs for each response, on its way back.
    ---@param response weft.Handle
    function on_response(response)
      response:headers():replace(response:settings().header, "\(name)")
    end

    """
  }

  private var readme: String {
    """
    # \(name)

    Says who handled a request, and hides a path.

    ```yaml
    apiVersion: weft.dev/v1
    kind: Filter
    metadata: {name: \(name)}
    spec:
      type: lua
      config:
        bundle: ./\(name)
        settings: {header: x-gate, hidden: /admin}
    ```

    | setting | default | meaning |
    | --- | --- | --- |
    | `header` | `x-handled-by` | the header that is set on each request and response |
    | `hidden` | `/internal` | requests for this path are answered with 404 |

    Run the tests with `weft filter test .`, and make an archive with `weft bundle pack .`.

    """
  }

  private var tests: String {
    """
    test("a response says who handled it", function()
      local res = request{method = "GET", path = "/"}
      assert_equal(res.status, 200)
      assert_equal(res.headers["x-handled-by"], "\(name)")
    end)

    test("so does the request that the service gets", function()
      local res = request{method = "GET", path = "/"}
      assert_equal(res.upstream.headers["x-handled-by"], "\(name)")
    end)

    test("a hidden path is not found", function()
      local res = request{method = "GET", path = "/internal"}
      assert_equal(res.status, 404)
    end)

    test("which path is hidden is a setting", function()
      settings{hidden = "/admin"}
      assert_equal(request{path = "/admin"}.status, 404)
      assert_equal(request{path = "/internal"}.status, 200)
    end)

    """
  }
}
