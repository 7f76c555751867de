import Testing

@testable import WeftConfig

@Suite struct HTTPRouteTests {
  @Test func defaults() throws {
    let set = resources(route("  parentRefs: [{name: edge}]"))
    let route = try #require(set.httpRoutes.all.first)
    #expect(route.name.description == "default/web")
    #expect(route.hostnames.isEmpty)
    let rule = try #require(route.rules.first)
    #expect(route.rules.count == 1 && rule.backendRefs.isEmpty && rule.filters.isEmpty)
    #expect(rule.matches.map(\.path) == [HTTPRouteMatch.Path(type: .pathPrefix, value: "/")])
    #expect(rule.timeouts.request == nil && rule.retry == nil && rule.sessionPersistence == nil)
    let parent = try #require(route.parentRefs.first)
    #expect(parent.kind == Gateway.kind && parent.name.description == "default/edge")
  }

  @Test func everyField() throws {
    let set = resources(
      route(
        """
          parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: http, port: 80}]
          hostnames: [example.com, "*.example.com"]
          rules:
          - name: api
            matches:
            - path: {type: Exact, value: /a%20b}
              headers: [{name: X-Tenant, value: "1"}, {type: RegularExpression, name: Accept, value: "^text/"}]
              queryParams: [{name: q, value: x}]
              method: POST
            - path: {type: RegularExpression, value: "/v[0-9]+"}
            filters:
            - type: RequestHeaderModifier
              requestHeaderModifier:
                set: [{name: a, value: b}]
                add: [{name: c, value: d}]
                remove: [e]
            - type: RequestMirror
              requestMirror:
                backendRef: {group: weft.dev, name: web}
                fraction: {numerator: 1, denominator: 3}
            - type: RequestMirror
              requestMirror:
                backendRef: {group: weft.dev, name: web}
                percent: 7
            - type: URLRewrite
              urlRewrite: {hostname: b.example.com, path: {type: ReplaceFullPath, replaceFullPath: /c}}
            - type: CORS
              cors:
                allowOrigins: ["https://*.example.com:8443"]
                allowCredentials: true
                allowMethods: [GET, PUT]
                allowHeaders: ["*"]
                exposeHeaders: [X-A]
                maxAge: 60
            - {type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: tag}}
            backendRefs:
            - group: weft.dev
              kind: Service
              name: web
              weight: 3
              filters:
              - type: ResponseHeaderModifier
                responseHeaderModifier: {remove: [server]}
            timeouts: {request: 10s, backendRequest: 2s}
            retry: {attempts: 3, backoff: 100ms, codes: [500, 503]}
          - matches: [{path: {value: /old}}]
            filters:
            - type: RequestRedirect
              requestRedirect:
                scheme: https
                hostname: new.example.com
                port: 8443
                statusCode: 308
                path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}
        """))
    let route = try #require(set.httpRoutes.all.first)
    let rule = try #require(route.rules.first)
    #expect(route.hostnames == ["example.com", "*.example.com"])
    #expect(rule.name == "api")
    #expect(rule.matches[0].path == HTTPRouteMatch.Path(type: .exact, value: "/a%20b"))
    #expect(rule.matches[0].headers.map(\.type) == [.exact, .regularExpression])
    #expect(rule.matches[0].queryParams.map(\.name) == ["q"])
    #expect(rule.matches[0].method == .post)
    #expect(
      rule.filters.map(\.type) == [
        .requestHeaderModifier, .requestMirror, .requestMirror, .urlRewrite, .cors, .extensionRef,
      ])
    guard case .requestHeaderModifier(let headers) = rule.filters[0].action,
      case .requestMirror(let third) = rule.filters[1].action, case .requestMirror(let seven) = rule.filters[2].action,
      case .urlRewrite(let rewrite) = rule.filters[3].action, case .cors(let cors) = rule.filters[4].action,
      case .extensionRef(let reference) = rule.filters[5].action,
      case .requestRedirect(let redirect) = route.rules[1].filters[0].action
    else {
      Issue.record("filters decoded as other kinds")
      return
    }
    #expect(headers.set.map(\.name) == ["a"] && headers.add.map(\.value) == ["d"] && headers.remove == ["e"])
    #expect(third.numerator == 1 && third.denominator == 3)
    #expect(seven.numerator == 7 && seven.denominator == 100)
    #expect(rewrite.hostname == "b.example.com" && rewrite.path == .replaceFullPath("/c"))
    #expect(cors.allowCredentials && cors.allowMethods == ["GET", "PUT"] && cors.maxAge == 60)
    #expect(reference.name == "tag")
    #expect(redirect.scheme == .https && redirect.port == 8443 && redirect.statusCode == 308)
    #expect(redirect.path == .replacePrefixMatch("/new"))
    #expect(rule.backendRefs[0].weight == 3 && rule.backendRefs[0].filters.map(\.type) == [.responseHeaderModifier])
    #expect(rule.timeouts.request == .seconds(10) && rule.timeouts.backendRequest == .seconds(2))
    #expect(rule.retry?.attempts == 3 && rule.retry?.codes == [500, 503])
  }

  @Test(arguments: [
    // Matches.
    (
      "  - matches: [{path: {type: Exact, value: a}}]",
      "7: spec.rules[0].matches[0].path.value: \"a\" must begin with \"/\""
    ),
    (
      "  - matches: [{path: {value: /a//b}}]",
      "7: spec.rules[0].matches[0].path.value: \"/a//b\" must not contain \"//\""
    ),
    (
      "  - matches: [{path: {value: /a/..}}]",
      "7: spec.rules[0].matches[0].path.value: \"/a/..\" must not end with \"/..\""
    ),
    (
      "  - matches: [{path: {value: /a%2fb}}]",
      "7: spec.rules[0].matches[0].path.value: \"/a%2fb\" must not contain \"%2f\""
    ),
    (
      "  - matches: [{path: {value: '/a b'}}]",
      "7: spec.rules[0].matches[0].path.value: \"/a b\" has characters that a path cannot have; write them as %XX"
    ),
    (
      "  - matches: [{path: {type: RegularExpression, value: '/a(b'}}]",
      """
      7: spec.rules[0].matches[0].path.value: is no valid regular expression: missing closing parenthesis, at character 5
      """
    ),
    (
      "  - matches: [{path: {type: Prefix, value: /}}]",
      "7: spec.rules[0].matches[0].path.type: unknown value \"Prefix\"; use one of Exact, PathPrefix, RegularExpression"
    ),
    (
      "  - matches: [{headers: [{name: a, value: b}, {name: a, value: c}]}]",
      "7: spec.rules[0].matches[0].headers: lists the name \"a\" twice; keep one"
    ),
    (
      "  - matches: [{headers: [{name: A, value: b}, {name: a, value: c}]}]",
      "7: warning: spec.rules[0].matches[0].headers: \"a\" is the same name as \"A\", and only the first one counts"
    ),
    (
      "  - matches: [{method: get}]", "7: spec.rules[0].matches[0].method: unknown value \"get\"; did you mean \"GET\"?"
    ),
    (
      "  - matches: [{headers: [{name: 'a b', value: c}]}]",
      """
      7: spec.rules[0].matches[0].headers[0].name: "a b" is not allowed; an HTTP field name has 1 to 256 letters, \
      digits and !#$%&'*+-.^_`|~
      """
    ),
    // Filters.
    ("  - filters: [{type: URLRewrite}]", "7: spec.rules[0].filters[0].urlRewrite: is missing; it must be given"),
    (
      "  - filters: [{type: UrlRewrite, urlRewrite: {}}]",
      "7: spec.rules[0].filters[0].type: unknown value \"UrlRewrite\"; did you mean \"URLRewrite\"?"
    ),
    (
      "  - filters: [{type: CORS, cors: {}, urlRewrite: {}}]",
      "7: spec.rules[0].filters[0].urlRewrite: must not be given with type CORS"
    ),
    (
      "  - filters: [{type: CORS, cors: {}}, {type: CORS, cors: {}}]",
      "7: spec.rules[0].filters[1]: CORS may stand only once in a list of filters"
    ),
    (
      "  - filters: [{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: {}}]",
      "7: spec.rules[0].filters[0]: URLRewrite cannot stand together with RequestRedirect; remove either"
    ),
    (
      """
        - filters: [{type: RequestRedirect, requestRedirect: {}}]
          backendRefs: [{group: weft.dev, name: web}]
      """, "7: spec.rules[0].filters[0]: a rule with a RequestRedirect must have no backendRefs; remove either"
    ),
    (
      """
        - matches: [{path: {type: Exact, value: /a}}]
          filters:
          - type: URLRewrite
            urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}
      """,
      "9: spec.rules[0].filters[0]: ReplacePrefixMatch needs a rule with exactly one match, whose path is a PathPrefix"
    ),
    (
      """
        - matches: [{path: {value: /a}}, {path: {value: /b}}]
          backendRefs:
          - group: weft.dev
            name: web
            filters:
            - type: URLRewrite
              urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}
      """,
      """
      12: spec.rules[0].backendRefs[0].filters[0]: ReplacePrefixMatch needs a rule with exactly one match, whose path \
      is a PathPrefix
      """
    ),
    (
      "  - filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}}]",
      "7: spec.rules[0].filters[0].urlRewrite.path.replaceFullPath: is missing; it must be given"
    ),
    (
      "  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: 200}}]",
      """
      7: spec.rules[0].filters[0].requestRedirect.statusCode: 200 is not allowed; use one of 301, 302, 303, 307, 308
      """
    ),
    (
      "  - filters: [{type: RequestMirror, requestMirror: {backendRef: {group: weft.dev, name: web}, percent: 101}}]",
      "7: spec.rules[0].filters[0].requestMirror.percent: 101 is out of range; allowed are 0 to 100"
    ),
    (
      """
        - filters:
          - type: RequestMirror
            requestMirror: {backendRef: {group: weft.dev, name: web}, percent: 1, fraction: {numerator: 1}}
      """,
      """
      9: spec.rules[0].filters[0].requestMirror.fraction: cannot stand together with "percent"; keep one of them
      """
    ),
    (
      "  - filters: [{type: CORS, cors: {allowOrigins: ['*', 'https://a.com']}}]",
      """
      7: spec.rules[0].filters[0].cors.allowOrigins: "*" cannot stand beside other entries; keep it alone or remove it
      """
    ),
    (
      "  - filters: [{type: CORS, cors: {allowOrigins: ['https://a.com/']}}]",
      """
      7: spec.rules[0].filters[0].cors.allowOrigins[0]: "https://a.com/" is not allowed; an origin is "*", or a scheme, \
      host and perhaps port such as "https://app.example.com" or "https://*.a.com:8443"
      """
    ),
    (
      "  - filters: [{type: ExtensionRef, extensionRef: {group: a.com, kind: Filter, name: x}}]",
      """
      7: spec.rules[0].filters[0].extensionRef: refers to a Filter.a.com; Weft runs "group: weft.dev, kind: Filter" \
      here, and nothing else
      """
    ),
    (
      "  - filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: x}}]",
      "7: spec.rules[0].filters[0].extensionRef: no Filter named \"x\""
    ),
    (
      "  - filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: tga}}]",
      "7: spec.rules[0].filters[0].extensionRef: no Filter named \"tga\"; did you mean \"tag\"?"
    ),
    (
      "  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: a, value: \"b\\nc\"}]}}]",
      """
      7: spec.rules[0].filters[0].responseHeaderModifier.set[0].value: "b
      c" is not allowed; an HTTP field value has no control characters, and no space at its ends
      """
    ),
    // Backends and policies.
    (
      "  - backendRefs: [{name: web}]",
      """
      7: spec.rules[0].backendRefs[0].port: is missing; a core Service needs it, and a weft.dev Service is named with \
      "group: weft.dev"
      """
    ),
    (
      "  - backendRefs: [{group: weft.dev, name: web, weight: -1}]",
      "7: spec.rules[0].backendRefs[0].weight: -1 is out of range; allowed are 0 to 1000000"
    ),
    (
      "  - timeouts: {request: 1s, backendRequest: 2s}",
      "7: spec.rules[0].timeouts.backendRequest: 2s is longer than the request timeout of 1s"
    ),
    (
      "  - timeouts: {request: 1}",
      "7: spec.rules[0].timeouts.request: expected a duration, not the number 1; add a unit, such as 1s"
    ),
    ("  - retry: {codes: [399]}", "7: spec.rules[0].retry.codes[0]: 399 is out of range; allowed are 400 to 599"),
    ("  - retry: {attempts: 0}", "7: spec.rules[0].retry.attempts: 0 is out of range; allowed are 1 to 100"),
    ("  - {name: a}\n  - {name: a}", "8: spec.rules[1]: another rule of this route is named \"a\" as well"),
    ("  - {nmae: a}", "7: spec.rules[0].nmae: unknown field \"nmae\"; did you mean \"name\"?"),
  ])
  func mistakesInRules(yaml: String, message: String) {
    #expect(diagnostics(rule(yaml)) == ["a.yaml:\(message)"])
  }

  @Test(arguments: [
    (
      "  hostnames: [Example.com]",
      """
      5: spec.hostnames[0]: "Example.com" is not allowed; use a lower-case DNS name such as "api.example.com" or \
      "*.example.com", not an address
      """
    ),
    (
      "  parentRefs: [{name: edge}, {name: edge}]",
      "5: spec.parentRefs[1]: refers to the same parent as another entry; remove it, or name another sectionName"
    ),
    (
      "  parentRefs: [{name: edge}, {name: edge, sectionName: http}]",
      """
      5: spec.parentRefs[1]: refers to the same parent as another entry; give every one of them a sectionName or port
      """
    ),
    ("  parentRefs: [{name: edge}]\n  rules: []", "6: spec.rules: needs at least 1 element"),
  ])
  func mistakesInRoutes(yaml: String, message: String) {
    #expect(diagnostics(route(yaml)).first == "a.yaml:\(message)")
  }

  @Test func sessionPersistenceIsRead() throws {
    let loaded = ConfigLoader.load(
      text: rule(
        """
          - sessionPersistence:
              absoluteTimeout: 1h
              cookie: {name: session, path: /a, lifetimeType: Permanent}
        """))
    let session = try #require(loaded.resources.httpRoutes.all.first?.rules.first?.sessionPersistence)
    #expect(session.name == "session" && session.cookieLifetime == .permanent && session.cookiePath == "/a")
    #expect(loaded.diagnostics.isEmpty)
  }

  @Test func timeoutOfZeroSwitchesOff() throws {
    let set = resources(rule("  - timeouts: {request: 0s, backendRequest: 2s}"))
    #expect(set.httpRoutes.all.first?.rules.first?.timeouts.request?.isZero == true)
  }

  @Test func comparesByContent() {
    let one = resources(rule("  - matches: [{path: {value: /a}}]"))
    let moved = resources("# moved\n\n" + rule("  - matches:\n    - path:\n        value: /a"), file: "b.yaml")
    let other = resources(rule("  - matches: [{path: {value: /b}}]"))
    #expect(one == moved)
    #expect(one.httpRoutes.all[0].hashValue == moved.httpRoutes.all[0].hashValue)
    #expect(one != other)
    #expect("\(one.httpRoutes.all[0].rules)" == "\(moved.httpRoutes.all[0].rules)")
  }
}
