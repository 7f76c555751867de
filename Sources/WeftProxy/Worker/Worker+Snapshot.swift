import Glibc
import WeftFilter
import WeftIO

/// Taking over a new configuration between two events.
extension Worker {
  func readMailbox() {
    control.mailbox.drain { message in
      switch message {
      case .snapshot(let delivery): adopt(delivery)
      case .endpoints(let spec): if let service = services[spec.name] { update(service, spec) }
      case .keys(let uri, let keys): tokens.replace(uri, keys)
      case .drain: startDraining()
      case .tick:
        accessLog?.flush()
        sample()
      case .stop: isStopped = true
      }
    }
  }

  private func adopt(_ delivery: SnapshotDelivery) {
    let new = delivery.snapshot
    settings = new.snapshot.settings
    maxClients = max(1, (settings.maxConnections + count - 1) / count)
    for (i, spec) in new.snapshot.services.enumerated() {
      let service = service(for: spec)
      service.pointee.references += 1
      new.services[i] = service
    }
    let old = snapshot
    new.users = 1
    snapshot = Unmanaged.passRetained(new)
    accessLog?.flush()
    accessLog = new.accessLog
    // What filters do by themselves has ended with the draining's beginning.
    if isDraining { new.hasStoppedFilters = true } else { for filter in new.filters.values { use(filter) } }
    if let old { stopFilters(of: old) }
    adoptListeners(new.snapshot, delivery.descriptors, replacing: old)
    if let old { leave(old) }
    wakeAwaiting()
    control.applied(new.snapshot.version)
  }

  // MARK: Filters by themselves

  private func use(_ filter: HTTPFilter) {
    filter.uses += 1
    if filter.uses == 1 { filter.onStart() }
  }

  /// The snapshot is in force no more, or the worker ends: filters that only it uses stop what they do by themselves.
  private func stopFilters(of snapshot: SnapshotRef) {
    snapshot._withUnsafeGuaranteedRef { s in
      if s.hasStoppedFilters { return }
      s.hasStoppedFilters = true
      for filter in s.filters.values {
        filter.uses -= 1
        if filter.uses == 0 { filter.onStop() }
      }
    }
  }

  func stopFilters() { if let snapshot { stopFilters(of: snapshot) } }

  private func service(for spec: ServiceSpec) -> ServiceRef {
    if let known = services[spec.name] {
      if known.pointee.spec !== spec { update(known, spec) }
      return known
    }
    let service = ServiceRef.allocate(capacity: 1)
    service.initialize(
      to: UpstreamService(spec, metrics: ServiceMetrics(families, context.metrics, service: spec.name)))
    services[spec.name] = service
    update(service, spec)
    return service
  }

  private func update(_ service: ServiceRef, _ spec: ServiceSpec) {
    let owner = service.pointee.tlsOwner
    let introduction = service.pointee.proxyProtocol
    for gone in service.pointee.update(spec, service: service, workers: count) { retire(gone) }
    if spec.tls != nil && service.pointee.metrics.tls == nil {
      service.pointee.metrics.tls = TLSMetrics(families.tls.upstream, context.metrics, owner: spec.name)
    }
    for e in service.pointee.endpoints {
      // Made with other certificates, demands or introductions: not used again.
      if service.pointee.tlsOwner != owner || service.pointee.proxyProtocol != introduction
        || e.pointee.firstIdle.map({ $0.pointee.tlsOwner != e.pointee.tlsOwner }) ?? false
      {
        while let u = e.pointee.firstIdle { closeUpstream(u) }
        e.pointee.leaveSessions { markDirty($0) }
      }
    }
    if service.pointee.pendingCount > 0 { serveQueue(service) }
  }

  /// Closes what idles on an endpoint that its service has dropped; what is in flight goes on.
  private func retire(_ e: EndpointRef) {
    e.pointee.connections += 1  // held while its connections go, for the last one frees it
    while let u = e.pointee.firstIdle { closeUpstream(u) }
    var session = e.pointee.sessions
    while let u = session {
      session = u.pointee.nextIdle
      u.pointee.stream.session?._withUnsafeGuaranteedRef { $0.isLeaving = true }
      markDirty(u)
    }
    e.pointee.connections -= 1
    freeIfUnused(e)
  }

  func freeIfUnused(_ e: EndpointRef) {
    if !e.pointee.isRemoved || e.pointee.connections > 0 { return }
    e.deinitialize(count: 1)
    e.deallocate()
  }

  // MARK: Who uses a snapshot

  @inline(__always)
  func enter(_ snapshot: SnapshotRef) { snapshot._withUnsafeGuaranteedRef { $0.users &+= 1 } }

  @inline(__always)
  func leave(_ snapshot: SnapshotRef) {
    let isLast = snapshot._withUnsafeGuaranteedRef { s -> Bool in
      s.users &-= 1
      return s.users == 0
    }
    if isLast { retire(snapshot) }
  }

  /// Nobody runs on it any more: services that no other snapshot lists go, and its memory is freed off this thread.
  private func retire(_ snapshot: SnapshotRef) {
    let old = snapshot.takeRetainedValue()
    for i in 0..<old.serviceCount {
      guard let service = old.services[i] else { continue }
      service.pointee.references -= 1
      if service.pointee.references > 0 { continue }
      services.removeValue(forKey: service.pointee.spec.name)
      for e in service.pointee.removeAll() { retire(e) }
      service.deinitialize(count: 1)
      service.deallocate()
    }
    control.dispose(SnapshotDelivery(old, descriptors: [:]))
  }

  // MARK: Listeners

  private func adoptListeners(_ new: Snapshot, _ descriptors: [Int: Int32], replacing old: SnapshotRef?) {
    let oldIndices = listeners.map { $0?.pointee.index ?? -1 }
    for l in listeners { l?.pointee.index = -1 }
    for (i, spec) in new.listeners.enumerated() {
      if let l = listeners.compactMap({ $0 }).first(where: { $0.pointee.address == spec.address && $0.pointee.fd >= 0 })
      {
        l.pointee.index = i
        l.pointee.name = spec.name
        secure(l, spec)
        if let unused = descriptors[i] { close(unused) }
      } else if let fd = descriptors[i] {
        open(spec, i, fd)
      }
    }
    for (slot, index) in oldIndices.enumerated() where index >= 0 {
      guard let l = listeners[slot], l.pointee.index < 0, let old else { continue }
      enter(old)
      l.pointee.last = (old, index)
      remove(l)
    }
  }

  /// Stops listening; the connections go as soon as what is under way, or on its way, has been answered.
  private func remove(_ l: ListenerRef) {
    l.pointee.connections += 1  // held while its connections go, for the last one frees it
    closeListener(l)
    letIdleGo { $0.pointee.listener == l }
    l.pointee.connections -= 1
    if l.pointee.connections == 0 { return freeListener(l) }
    l.pointee.timer.token = Token(kind: Owner.listener, slot: l.pointee.slot, generation: 0).raw
    wheel.pointee.schedule(&l.pointee.timer, at: deadline(settings.drainTimeout))
  }

  /// A removed listener's time is over: closes the connections that it still has.
  func cutOff(_ l: ListenerRef) {
    l.pointee.connections += 1  // held while its connections go, for the last one frees it
    for i in 0..<clients.capacity {
      let c = clients[i]
      if c.pointee.phase == .closed || c.pointee.listener != l || c.pointee.isStream { continue }
      if c.pointee.phase == .exchange, let x = c.pointee.exchange { resetIfUnframed(x, c) }
      closeClient(c)
    }
    l.pointee.connections -= 1
    freeListener(l)
  }

  private func open(_ spec: ListenerSpec, _ index: Int, _ fd: Int32) {
    let slot = listeners.firstIndex { $0 == nil } ?? listeners.count
    let l = ListenerRef.allocate(capacity: 1)
    l.initialize(
      to: WorkerListener(
        slot: slot, address: spec.address, fd: fd, name: spec.name, index: index,
        metrics: ListenerMetrics(families, context.metrics, listener: spec.name.bytes.string)))
    secure(l, spec)
    if slot == listeners.count { listeners.append(l) } else { listeners[slot] = l }
    let token = Token(kind: Owner.listener, slot: slot, generation: 0)
    do {
      if spec.address.unixPath == nil {
        try reactor.addLevelTriggered(fd, token)
      } else {
        try reactor.addShared(fd, token)
      }
    } catch {
      log.error("cannot watch listener \(spec.address): \(error)")
    }
  }

  /// New connections get the configuration's certificates; those that are open keep what they have.
  private func secure(_ l: ListenerRef, _ spec: ListenerSpec) {
    l.pointee.tls = spec.tls
    l.pointee.acceptsPlain = spec.acceptsPlain
    l.pointee.isOutbound = spec.meshNamespace != nil && spec.tls == nil
    l.pointee.takesRedirected = spec.takesRedirected
    l.pointee.proxyProtocol = spec.proxyProtocol
    if spec.tls != nil && l.pointee.metrics.tls == nil {
      l.pointee.metrics.tls = TLSMetrics(families.tls.downstream, context.metrics, owner: spec.name.bytes.string)
    }
  }

  func freeListener(_ l: ListenerRef) {
    listeners[l.pointee.slot] = nil
    wheel.pointee.cancel(&l.pointee.timer)
    let last = l.pointee.last
    l.deinitialize(count: 1)
    l.deallocate()
    if let last { leave(last.snapshot) }
  }

  /// Ends connections between requests.
  private func letIdleGo(where isMeant: (ClientRef) -> Bool) {
    for i in 0..<clients.capacity {
      let c = clients[i]
      if c.pointee.phase == .idle && isMeant(c) { letGo(c) }
      if c.pointee.phase == .http2 && isMeant(c) { leaveHTTP2(c) }
    }
  }

  // MARK: Draining

  /// No new connections; what is under way comes to its end, each connection closing behind its present response.
  private func startDraining() {
    if isDraining { return }
    isDraining = true
    stopFilters()
    for l in listeners { if let l { closeListener(l) } }
    for i in 0..<clients.capacity {
      let c = clients[i]
      switch c.pointee.phase {
      case .idle: letGo(c)
      case .head, .exchange: c.pointee.closeAfter = true
      case .http2: leaveHTTP2(c)
      default: break
      }
    }
  }
}
