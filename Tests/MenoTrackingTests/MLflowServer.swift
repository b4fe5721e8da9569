import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server on loopback that speaks what is used of MLflow's REST API, refuses what MLflow refuses, and has trouble on demand.
final class MLflowServer: Sendable {
    struct Metric: Hashable {
        var key: String
        var value: Double
        var step: Int
        var timestamp: Int
    }

    struct Run {
        var experiment = ""
        var status = "RUNNING"
        var metrics: Set<Metric> = []
        var parameters: [String: String] = [:]
        var tags: [String: String] = [:]
        var isDeleted = false

        func series(_ key: String) -> [Int: [Double]] {
            Dictionary(grouping: metrics.filter { $0.key == key }, by: \.step).mapValues { $0.map(\.value) }
        }
    }

    enum Trouble {
        case status(Int)
        /// Does what is asked, and closes the connection instead of answering.
        case lostAnswer
        /// Answers after so many milliseconds.
        case slow(Int)
    }

    struct State {
        var runs: [String: Run] = [:]
        var experiments = ["0": "Default"]
        var authorizations: Set<String> = []
        var requests = 0
        var wanted: String?
        var troubles: [(path: String, kind: Trouble, times: Int)] = []
    }

    let state = Mutex(State())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    init() throws {
        let box = Weak()
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        box.server.withLock { $0.value = self }
    }

    deinit {
        channel.close(promise: nil)
        group.shutdownGracefully { _ in }
    }

    var address: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    func trouble(_ kind: Trouble, _ path: String = "", times: Int = .max) {
        state.withLock { $0.troubles.append((path, kind, times)) }
    }
    func clearTroubles() { state.withLock { $0.troubles = [] } }

    var runs: [String: Run] { state.withLock { $0.runs } }
    var run: Run? { state.withLock { $0.runs.count == 1 ? $0.runs.values.first : nil } }

    fileprivate final class Weak: Sendable {
        struct Reference { weak var value: MLflowServer? }
        let server = Mutex(Reference())
    }

    // MARK: Answers

    fileprivate func take(_ path: String, _ authorization: String?) -> Trouble? {
        state.withLock { state in
            state.requests += 1
            state.authorizations.insert(authorization ?? "")
            guard
                let index = state.troubles.firstIndex(where: {
                    $0.times > 0 && ($0.path.isEmpty || path.contains($0.path))
                })
            else {
                return nil
            }
            state.troubles[index].times -= 1
            return state.troubles[index].kind
        }
    }

    fileprivate func answer(_ path: String, _ query: [String: String], _ body: [String: Any], _ authorization: String?)
        -> (Int, [String: Any])
    {
        state.withLock { state in
            if let wanted = state.wanted, wanted != authorization {
                return (401, ["error_code": "UNAUTHENTICATED", "message": "not with \(authorization ?? "nothing")"])
            }
            let missing = (
                404, ["error_code": "RESOURCE_DOES_NOT_EXIST", "message": "it is not there"] as [String: Any]
            )
            let runID = body["run_id"] as? String ?? query["run_id"] ?? ""
            switch path {
            case "experiments/get-by-name":
                guard let found = state.experiments.first(where: { $0.value == query["experiment_name"] }) else {
                    return missing
                }
                return (200, ["experiment": ["experiment_id": found.key, "lifecycle_stage": "active"]])
            case "experiments/create":
                let id = "\(state.experiments.count)"
                state.experiments[id] = body["name"] as? String
                return (200, ["experiment_id": id])
            case "runs/create":
                let id = UUID().uuidString
                var run = Run(experiment: body["experiment_id"] as? String ?? "")
                for tag in body["tags"] as? [[String: String]] ?? [] { run.tags[tag["key"] ?? ""] = tag["value"] }
                state.runs[id] = run
                return (200, ["run": ["info": ["run_id": id]]])
            case "runs/search":
                let filter = body["filter"] as? String ?? ""
                let found = state.runs.filter { filter.contains("'\($0.value.tags["meno.run"] ?? "?")'") }
                return (200, ["runs": found.map { ["info": ["run_id": $0.key]] }])
            case "runs/get":
                guard let run = state.runs[runID] else { return missing }
                let latest = Dictionary(grouping: run.metrics, by: \.key).mapValues { $0.map(\.step).max() ?? 0 }
                let metrics = latest.map { ["key": $0.key, "value": 0, "step": $0.value] as [String: Any] }
                let parameters = run.parameters.map { ["key": $0.key, "value": $0.value] }
                return (
                    200,
                    [
                        "run": [
                            "info": ["run_id": runID, "lifecycle_stage": run.isDeleted ? "deleted" : "active"],
                            "data": ["metrics": metrics, "params": parameters],
                        ]
                    ]
                )
            case "runs/update":
                state.runs[runID]?.status = body["status"] as? String ?? ""
                return (200, ["run_info": ["run_id": runID]])
            case "runs/log-batch":
                guard state.runs[runID] != nil else { return missing }
                let metrics = body["metrics"] as? [[String: Any]] ?? []
                let parameters = body["params"] as? [[String: String]] ?? []
                guard metrics.count <= 1000, parameters.count <= 100 else {
                    return (400, ["error_code": "INVALID_PARAMETER_VALUE", "message": "too many"])
                }
                for metric in metrics {
                    state.runs[runID]?.metrics.insert(
                        Metric(
                            key: metric["key"] as? String ?? "",
                            value: (metric["value"] as? NSNumber)?.doubleValue ?? .nan,
                            step: (metric["step"] as? NSNumber)?.intValue ?? -1,
                            timestamp: (metric["timestamp"] as? NSNumber)?.intValue ?? 0))
                }
                for parameter in parameters {
                    let (key, value) = (parameter["key"] ?? "", parameter["value"] ?? "")
                    if let old = state.runs[runID]?.parameters[key], old != value {
                        return (400, ["error_code": "INVALID_PARAMETER_VALUE", "message": "\(key) was \(old)"])
                    }
                    state.runs[runID]?.parameters[key] = value
                }
                for tag in body["tags"] as? [[String: String]] ?? [] {
                    state.runs[runID]?.tags[tag["key"] ?? ""] = tag["value"]
                }
                return (200, [:])
            default: return missing
            }
        }
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let box: MLflowServer.Weak
    private var head: HTTPRequestHead?
    private var body = Data()

    init(_ box: MLflowServer.Weak) { self.box = box }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, Data())
        case .body(let part): body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head, let server = box.server.withLock({ $0.value }) else { return context.close(promise: nil) }
            answer(head, server, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ head: HTTPRequestHead, _ server: MLflowServer, _ context: ChannelHandlerContext) {
        let url = URLComponents(string: head.uri)
        let path = (url?.path ?? "").replacing("/api/2.0/mlflow/", with: "")
        let query = Dictionary(
            (url?.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        let authorization = head.headers.first(name: "Authorization")
        let trouble = server.take(path, authorization)
        if case .status(let status) = trouble { return send(status, Data("trouble".utf8), context) }
        let object = (try? JSONSerialization.jsonObject(with: body) as? [String: Any]) ?? [:]
        let (status, content) = server.answer(path, query, object, authorization)
        let data = (try? JSONSerialization.data(withJSONObject: content)) ?? Data()
        switch trouble {
        case .lostAnswer: context.close(promise: nil)
        case .slow(let milliseconds):
            let place = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
                place.value.0.send(status, data, place.value.1)
            }
        default: send(status, data, context)
        }
    }

    private func send(_ status: Int, _ data: Data, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        let headers = HTTPHeaders([("Content-Type", "application/json"), ("Content-Length", "\(data.count)")])
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: data)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
