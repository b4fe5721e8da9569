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
        case .refused(let status, _, let message): "it refuses a request (\(status)): \(message)"
        }
    }
}

/// Requests to a server, by its REST API.
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

    func shutDown() async { try? await client.shutdown() }

    func post<Answer: Decodable>(_ path: String, _ body: some Encodable) async throws -> Answer {
        var request = request(path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        return try await answer(to: request)
    }

    func get<Answer: Decodable>(_ path: String, _ name: String, _ value: String) async throws -> Answer {
        let allowed = CharacterSet.alphanumerics.union(.init(charactersIn: "-._~"))
        return try await answer(
            to: request("\(path)?\(name)=\(value.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")"))
    }

    private func request(_ path: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(settings.address)/api/2.0/mlflow/\(path)")
        request.headers = ["User-Agent": "meno", "Accept": "application/json"]
        if let credentials = settings.credentials {
            request.headers.add(name: "Authorization", value: credentials.authorization)
        }
        return request
    }

    private func answer<Answer: Decodable>(to request: HTTPClientRequest) async throws -> Answer {
        let (status, body): (Int, ByteBuffer)
        do {
            let response = try await client.execute(request, timeout: .init(settings.timeout))
            status = Int(response.status.code)
            body = try await response.body.collect(upTo: 16 << 20)
        } catch {
            if Task.isCancelled || error as? HTTPClientError == .cancelled { throw CancellationError() }
            throw MLflowFailure.unavailable(reason(error))
        }
        let data = Data(body.readableBytesView)
        guard status == 200 else { throw failure(status, data) }
        do {
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw MLflowFailure.refused(
                status: status, code: nil, message: "what it answers is not the REST API of MLflow.")
        }
    }

    private func failure(_ status: Int, _ data: Data) -> MLflowFailure {
        let refusal = try? JSONDecoder().decode(MLflow.Refusal.self, from: data)
        let said = refusal?.message.map { text in
            let line = text.prefix(300).filter { !$0.isNewline && $0.asciiValue.map { $0 >= 0x20 } ?? true }
            return settings.credentials?.redacted(line) ?? line
        }
        if status >= 500 || [408, 429].contains(status) {
            return .unavailable("it answers with the status \(status)\(said.map { ": \($0)" } ?? "")")
        }
        return .refused(status: status, code: refusal?.error_code, message: said ?? "without a reason.")
    }

    private func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout, .deadlineExceeded, .readTimeout:
                "it does not answer within \(Int(settings.timeout / .seconds(1))) s"
            case .remoteConnectionClosed: "it closed the connection"
            default: "it cannot be reached (\(error.shortDescription))"
            }
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first?.error as? IOError {
                "it cannot be reached (\(String(cString: strerror(first.errnoCode))))"
            } else {
                "its name is not known to this network"
            }
        case let error as IOError: "it cannot be reached (\(String(cString: strerror(error.errnoCode))))"
        default: "it cannot be reached (\(String("\(error)".prefix(200))))"
        }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) { self = .nanoseconds(Int64(duration / .nanoseconds(1))) }
}
