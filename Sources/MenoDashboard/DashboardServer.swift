package import Foundation
internal import HTTPTypes
internal import Hummingbird
package import Logging
package import MenoMonitor
package import MenoReporting
internal import ServiceLifecycle

/// A live page of runs that other processes train, on the loopback interface.
package struct DashboardServer: Sendable {
    private let pages: DashboardPages
    private let port: Int
    private let logger: Logger
    /// How often a run is looked at for news.
    private let interval: Duration

    /// - Parameters:
    ///   - folder: of a run, or of runs.
    ///   - port: 0: any that is free.
    ///   - isReadOnly: whether runs cannot be steered.
    ///   - isRunning: whether a process trains in a run's folder; `nil` where that is not known.
    ///   - thresholds: that a run is judged by, where it had no monitor of its own.
    package init(
        _ folder: URL, port: Int, language: ReportLanguage, logger: Logger, interval: Duration = .milliseconds(700),
        isReadOnly: Bool = false, isRunning: @escaping @Sendable (URL) -> Bool? = { _ in nil },
        thresholds: @escaping @Sendable (URL) -> MonitorConfiguration
    ) {
        let catalog = RunCatalog(folder)
        pages = DashboardPages(
            catalog: catalog, cache: RunCache(catalog, isRunning: isRunning, thresholds: thresholds),
            language: language,
            controls: DashboardControls(isReadOnly: isReadOnly))
        self.port = port
        self.logger = logger
        self.interval = interval
    }

    /// Serves until SIGINT or SIGTERM.
    /// - Parameter onStart: called with the address once requests are answered.
    package func run(onStart: @escaping @Sendable (String) -> Void) async throws {
        let router = Router()
        router.add(middleware: LoopbackOnly())
        for path: RouterPath in ["/", "**"] {
            router.get(path) { request, _ in await respond(to: request) }
            router.post(path) { request, _ in try await act(on: request) }
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "meno"),
            onServerRunning: { channel in onStart("http://127.0.0.1:\(channel.localAddress?.port ?? port)/") },
            logger: logger)
        try await application.runService()
    }

    private static func path(of request: Request) -> [String] {
        request.uri.path.split(separator: "/").map { String($0).removingPercentEncoding ?? "" }
    }

    private func respond(to request: Request) async -> Response {
        let nonce = UUID().uuidString
        let query = DashboardControls.fields(request.uri.query ?? "")
        return response(await pages.page(Self.path(of: request), query: query, nonce: nonce), nonce: nonce)
    }

    /// What changes something comes by POST from a page of this server, and from no other.
    private func act(on request: Request) async throws -> Response {
        let origin = request.headers[.origin]
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        guard origin == nil || origin == "http://\(request.head.authority ?? "")", site == nil || site == "same-origin"
        else { return Response(status: .forbidden) }
        var request = request
        let form = try await request.collectBody(upTo: 8192)
        let page = await pages.act(Self.path(of: request), form: DashboardControls.fields(String(buffer: form)))
        // 303: the page that follows is loaded by GET.
        if case .redirect(let address) = page { return Response(status: .seeOther, headers: [.location: address]) }
        return response(page, nonce: "")
    }

    private func response(_ page: DashboardPages.Page, nonce: String) -> Response {
        switch page {
        case .page(let html):
            let policy =
                "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-\(nonce)'; connect-src 'self'; "
                + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            return Self.html(html, [.contentSecurityPolicy: policy])
        case .fragment(let html): return Self.html(html)
        case .updates(let stamp): return updates(stamp)
        case .redirect(let address): return Response(status: .found, headers: [.location: address])
        case .metrics(let text):
            return Response(
                status: .ok, headers: [.contentType: PrometheusText.contentType, .cacheControl: "no-store"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        case .notFound: return Self.html("<p>404</p>", status: .notFound)
        case .refused(let status, let reason):
            let text: HTML = "<p>\(reason)</p>"
            return Self.html(text.text, status: .init(code: status))
        }
    }

    private static func html(_ text: String, _ headers: HTTPFields = [:], status: HTTPResponse.Status = .ok) -> Response
    {
        var headers = headers
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// Server-sent events: one at the beginning, so that a page which was loaded long ago is renewed when it connects again,
    /// and one for every change.
    private func updates(_ stamp: @escaping @Sendable () async -> String) -> Response {
        let interval = interval
        let body = ResponseBody { writer in
            try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
            var last: String?
            var quiet = ContinuousClock.now
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let now = await stamp()
                if now != last {
                    last = now
                    quiet = .now
                    try await writer.write(ByteBuffer(string: "event: update\ndata: \(now)\n\n"))
                } else if ContinuousClock.now - quiet > .seconds(10) {
                    // Tells whether somebody is still there.
                    quiet = .now
                    try await writer.write(ByteBuffer(string: ":\n\n"))
                }
                try await Task.sleep(for: interval)
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
    }
}

/// Answers only what names this machine: a page elsewhere must not read runs by a name that it lets point here.
private struct LoopbackOnly<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let authority = request.head.authority ?? ""
        let isLoopback = ["127.0.0.1", "localhost", "[::1]"].contains { name in
            authority == name || (authority.hasPrefix(name + ":") && Int(authority.dropFirst(name.count + 1)) != nil)
        }
        guard isLoopback else { return Response(status: .forbidden) }
        return try await next(request, context)
    }
}
