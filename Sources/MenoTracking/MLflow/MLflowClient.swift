internal import AsyncHTTPClient
internal import Foundation
internal import MenoHub
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A request that did not succeed.
enum MLflowFailure: Error {
    /// The server is not there, is too slow, or has trouble of its own: the same request may succeed later.
    case unavailable(String)
    /// The same request would be refused again.
    case refused(status: Int, code: String?, message: String)

    var text: String {
        switch self {
        case .unavailable(let reason): reason
        case .refused(let status, _, let message): "it rejected a request (\(status)): \(message)"
        }
    }
}

/// Requests to a server, by its REST API. They block: a delivery has a thread of its own, so that no program that is busy with other
/// tasks holds it up.
struct MLflowClient: Sendable {
    private let settings: MLflowSettings
    private let client: HTTPClient

    init(_ settings: MLflowSettings) {
        self.settings = settings
        var configuration = HTTPClient.Configuration()
        // A token goes to the server that was named and to no other.
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .init(settings.timeout), read: .init(settings.timeout))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        configuration.proxy = URL(string: settings.address).flatMap(settings.proxies.configuration(for:))
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func shutDown() { try? client.syncShutdown() }

    func post<Answer: Decodable>(_ path: String, _ body: some Encodable) throws -> Answer {
        try answer(to: path, body: try JSONEncoder().encode(body))
    }

    func get<Answer: Decodable>(_ path: String, _ name: String, _ value: String) throws -> Answer {
        let allowed = CharacterSet.alphanumerics.union(.init(charactersIn: "-._~"))
        return try answer(
            to: "\(path)?\(name)=\(value.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")", body: nil)
    }

    private func answer<Answer: Decodable>(to path: String, body: Data?) throws -> Answer {
        let (status, data): (Int, Data)
        do {
            var request = try HTTPClient.Request(
                url: "\(settings.address)/api/2.0/mlflow/\(path)", method: body == nil ? .GET : .POST)
            request.headers = ["User-Agent": "meno", "Accept": "application/json"]
            if let credentials = settings.credentials {
                request.headers.add(name: "Authorization", value: credentials.authorization)
            }
            if let body {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .data(body)
            }
            let deadline = NIODeadline.now() + .init(settings.timeout)
            let response = try client.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: 16 << 20),
                deadline: deadline
            ).wait()
            (status, data) = (Int(response.status.code), response.body.map { Data($0.readableBytesView) } ?? Data())
        } catch {
            throw MLflowFailure.unavailable(reason(error))
        }
        guard status == 200 else { throw failure(status, data) }
        do {
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw MLflowFailure.refused(
                status: status, code: nil, message: "its answer does not come from MLflow's REST API.")
        }
    }

    private func failure(_ status: Int, _ data: Data) -> MLflowFailure {
        let refusal = try? JSONDecoder().decode(MLflow.Refusal.self, from: data)
        let said = refusal?.message.map { text in
            let line = text.prefix(300).filter { !$0.isNewline && $0.asciiValue.map { $0 >= 0x20 } ?? true }
            return settings.credentials?.redacted(line) ?? line
        }
        if status >= 500 || [408, 429].contains(status) {
            return .unavailable("it answered with status \(status)\(said.map { ": \($0)" } ?? "")")
        }
        return .refused(status: status, code: refusal?.error_code, message: said ?? "without a reason.")
    }

    private func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout, .deadlineExceeded, .readTimeout:
                "it did not answer within \(Int(settings.timeout / .seconds(1))) s"
            case .remoteConnectionClosed: "it closed the connection"
            default: "it cannot be reached (\(error.shortDescription))"
            }
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first?.error as? IOError {
                "it cannot be reached (\(String(cString: strerror(first.errnoCode))))"
            } else {
                "its name does not resolve on this network"
            }
        case let error as IOError: "it cannot be reached (\(String(cString: strerror(error.errnoCode))))"
        default: "it cannot be reached (\(String("\(error)".prefix(200))))"
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) { self = .nanoseconds(Int64(duration / .nanoseconds(1))) }
}
