internal import Foundation
internal import MenoFormats
internal import MenoMetrics
internal import Synchronization

/// Sends a run to a server, beside the training: whoever adds points never waits. A server that is slow or gone is tried again and
/// again, and gets everything once it answers.
final class MLflowDelivery: Sendable {
    private let settings: MLflowSettings
    private let run: TrackedRun
    private let tags: [MLflow.Tag]
    private let isResumed: Bool
    private let client: MLflowClient
    private let state = Mutex(State())
    private let clock = ContinuousClock()

    private struct State {
        var waiting: [TrackedPoint] = []
        /// Points that the server refused, or that came after it had refused the run.
        var refused = 0
        var messages: [RunEvent] = []
        /// What the run has ended as.
        var end: MLflow.Status?
        var isClosed = false
        var hasGivenUp = false
        /// When a request last succeeded.
        var success: ContinuousClock.Instant?
        /// Whether nobody waits for what is not sent yet.
        var isCancelled = false
    }

    /// What a server has of a run already.
    private struct Remote {
        var id: String
        var parameters: Set<String> = []
        /// The last step of each series.
        var steps: [String: Int64] = [:]
    }

    /// - Parameters:
    ///   - tags: of a run that is created.
    ///   - isResumed: whether the run may be there already.
    init(_ settings: MLflowSettings, run: TrackedRun, tags: [String: String], isResumed: Bool) {
        self.settings = settings
        self.run = run
        self.tags = tags.sorted { $0.key < $1.key }.map { MLflow.Tag(key: $0.key, value: $0.value) }
        self.isResumed = isResumed
        client = MLflowClient(settings)
        let thread = Thread { [self] in deliver() }
        thread.name = "meno.mlflow"
        thread.start()
    }

    // MARK: The training's side

    func add(_ points: [TrackedPoint]) {
        guard !points.isEmpty else { return }
        state.withLock { state in
            if state.hasGivenUp { state.refused += points.count } else { state.waiting += points }
        }
    }

    /// What there is to tell since this was last asked.
    func takeMessages() -> [RunEvent] {
        state.withLock { state in
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Ends the run, and waits until all of it is sent; not for longer than ``MLflowSettings/grace`` without an answer, and a minute
    /// in all.
    func finish(_ status: MLflow.Status) {
        state.withLock { $0.end = status }
        let start = clock.now
        while clock.now < start + .seconds(60), !state.withLock(\.isClosed) {
            let success = state.withLock(\.success)
            // One that never answered is hardly going to now.
            let grace = success == nil ? min(settings.grace, .seconds(2)) : settings.grace
            if clock.now > max(success ?? start, start) + grace { break }
            Thread.sleep(forTimeInterval: 0.01)
        }
        let (isClosed, unsent) = state.withLock { state in
            state.isCancelled = true
            return (state.isClosed, state.waiting.count)
        }
        if !isClosed {
            say(
                .warning(
                    "MLflow at \(settings.address): \(unsent) values of the run were not sent. The run's own record has them: "
                        + "they can be sent from there once the server is reachable."))
        }
        let refused = state.withLock(\.refused)
        if refused > 0 {
            say(.warning("MLflow at \(settings.address): \(refused) values of the run were rejected by the server."))
        }
    }

    func cancel() { state.withLock { $0.isCancelled = true } }

    // MARK: The server's side

    private func say(_ event: RunEvent) { state.withLock { $0.messages.append(event) } }

    private func deliver() {
        do {
            let remote = try connect()
            state.withLock { state in
                state.waiting.removeAll { point in remote.steps[point.key].map { point.step <= $0 } ?? false }
            }
            try sendParameters(remote)
            try sendPoints(remote)
            state.withLock { $0.isClosed = true }
        } catch let failure as MLflowFailure {
            giveUp(failure)
        } catch {
            // Cancelled at the end of the run, which counts what was not sent.
        }
        client.shutDown()
    }

    private func giveUp(_ failure: MLflowFailure) {
        var advice = ""
        if case .refused(let status, _, _) = failure, status == 401 || status == 403 {
            advice =
                settings.credentials.map { " Check \($0.source)." }
                ?? " Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        }
        say(
            .warning(
                "MLflow at \(settings.address): \(failure.text) Training continues, and nothing more is sent to the server.\(advice)"
            ))
        state.withLock { state in
            state.hasGivenUp = true
            state.isClosed = true
            state.refused += state.waiting.count
            state.waiting = []
        }
    }

    // MARK: The run there

    private func connect() throws -> Remote {
        var runID = settings.runID
        if runID == nil, isResumed, let stored {
            runID = try stored.run ?? persisting { try find(mark: stored.mark, in: stored.experiment) }
        }
        if let runID {
            if let remote = try existing(runID) {
                try persisting {
                    let _: MLflow.Nothing = try client.post(
                        "runs/update", MLflow.Update(run_id: runID, status: .running))
                }
                return remote
            }
            guard settings.runID == nil else {
                throw MLflowFailure.refused(
                    status: 404, code: nil, message: "there is no run \(runID) (MLFLOW_RUN_ID).")
            }
            say(
                .warning("MLflow at \(settings.address): the run \(runID) no longer exists. A new one is created.")
            )
        }
        return try created()
    }

    private func existing(_ id: String) throws -> Remote? {
        do {
            let answer: MLflow.RunAnswer = try persisting { try client.get("runs/get", "run_id", id) }
            guard answer.run.info.lifecycle_stage != "deleted" else { return nil }
            var remote = Remote(id: id)
            remote.parameters = Set((answer.run.data?.params ?? []).map(\.key))
            for metric in answer.run.data?.metrics ?? [] { remote.steps[metric.key] = metric.step }
            return remote
        } catch MLflowFailure.refused(404, _, _) {
            return nil
        }
    }

    /// Every run is created with a mark. A request whose answer was lost, or a process that was killed meanwhile, may have made a run:
    /// it is found by its mark.
    private static let markName = "meno.run"

    private func find(mark: String, in experiment: String) throws -> String? {
        let found: MLflow.SearchAnswer = try client.post(
            "runs/search",
            MLflow.Search(experiment_ids: [experiment], filter: "tags.`\(Self.markName)` = '\(mark)'"))
        return found.runs?.first?.info.run_id
    }

    private func created() throws -> Remote {
        let experiment = try persisting { try experimentID() }
        let mark = UUID().uuidString
        store(Stored(address: settings.address, experiment: experiment, mark: mark))
        let now = milliseconds
        var isRepeated = false
        let id = try persisting {
            if isRepeated, let run = try find(mark: mark, in: experiment) { return run }
            isRepeated = true
            let new: MLflow.RunAnswer = try client.post(
                "runs/create",
                MLflow.NewRun(
                    experiment_id: experiment, run_name: run.name, start_time: now,
                    tags: tags + [
                        MLflow.Tag(key: Self.markName, value: mark), MLflow.Tag(key: "mlflow.runName", value: run.name),
                    ]))
            return new.run.info.run_id
        }
        store(Stored(address: settings.address, experiment: experiment, mark: mark, run: id))
        say(.notice("MLflow: \(settings.address)/#/experiments/\(experiment)/runs/\(id)"))
        return Remote(id: id)
    }

    private func experimentID() throws -> String {
        guard case .name(let name) = settings.experiment else {
            if case .id(let id) = settings.experiment { return id }
            return "0"
        }
        do {
            return try experiment(named: name)
        } catch MLflowFailure.refused(404, _, _) {
            do {
                let new: MLflow.ExperimentID = try client.post(
                    "experiments/create", MLflow.NewExperiment(name: name))
                return new.experiment_id
            } catch MLflowFailure.refused(_, "RESOURCE_ALREADY_EXISTS", _) {
                // Another run has created it meanwhile.
                return try experiment(named: name)
            }
        }
    }

    private func experiment(named name: String) throws -> String {
        let found: MLflow.Experiment = try client.get("experiments/get-by-name", "experiment_name", name)
        guard found.experiment.lifecycle_stage != "deleted" else {
            throw MLflowFailure.refused(
                status: 400, code: nil,
                message: "the experiment \"\(name)\" is deleted. Restore it, or choose another name.")
        }
        return found.experiment.experiment_id
    }

    // MARK: Sending

    private func sendParameters(_ remote: Remote) throws {
        // A value that is there cannot be changed.
        let new = run.parameters.filter { !remote.parameters.contains($0.name) }
            .map { MLflow.Tag(key: $0.name, value: String($0.value.prefix(500))) }
        for start in stride(from: 0, to: new.count, by: MLflow.Batch.mostParameters) {
            let part = Array(new[start..<min(new.count, start + MLflow.Batch.mostParameters)])
            try send(MLflow.Batch(run_id: remote.id, params: part), what: "\(part.count) parameters")
        }
        guard !settings.tags.isEmpty else { return }
        let tags = settings.tags.sorted { $0.key < $1.key }.map { MLflow.Tag(key: $0.key, value: $0.value) }
        try send(MLflow.Batch(run_id: remote.id, tags: tags), what: "the tags of MLFLOW_TAGS")
    }

    private func sendPoints(_ remote: Remote) throws {
        while true {
            let (batch, end) = state.withLock { (Array($0.waiting.prefix(MLflow.Batch.mostMetrics)), $0.end) }
            guard !batch.isEmpty else {
                if let end {
                    return try persisting {
                        let _: MLflow.Nothing = try client.post(
                            "runs/update", MLflow.Update(run_id: remote.id, status: end, end_time: milliseconds))
                    }
                }
                try rest(settings.interval)
                continue
            }
            let metrics = batch.map {
                MLflow.Metric(key: $0.key, value: $0.value, timestamp: $0.time, step: Int64($0.step))
            }
            let isSent = try send(
                MLflow.Batch(run_id: remote.id, metrics: metrics), what: "\(batch.count) values")
            state.withLock { state in
                state.waiting.removeFirst(batch.count)
                if !isSent { state.refused += batch.count }
            }
        }
    }

    /// - Returns: `false` where the server refuses what is sent, and may take something else.
    @discardableResult
    private func send(_ batch: MLflow.Batch, what: String) throws -> Bool {
        do {
            try persisting { let _: MLflow.Nothing = try client.post("runs/log-batch", batch) }
            return true
        } catch let failure as MLflowFailure {
            guard case .refused(let status, _, _) = failure, ![401, 403, 404].contains(status) else { throw failure }
            say(.warning("MLflow at \(settings.address): \(what) were rejected: \(failure.text)"))
            return false
        }
    }

    /// Tries again where the server is not available, and says so once.
    private func persisting<Value>(_ body: () throws -> Value) throws -> Value {
        var failures = 0
        while true {
            do {
                let value = try body()
                state.withLock { $0.success = clock.now }
                if failures > 0 {
                    say(.notice("MLflow at \(settings.address) is reachable again; the missing values are sent now."))
                }
                return value
            } catch MLflowFailure.unavailable(let reason) {
                if failures == 0 {
                    say(
                        .warning(
                            "MLflow at \(settings.address): \(reason). Training continues; unsent values are sent when the "
                                + "server answers."))
                }
                try rest(settings.retryDelay * (1 << min(failures, 5)))
                failures += 1
            }
        }
    }

    /// Waits; the end of the run cuts it short.
    private func rest(_ duration: Duration) throws {
        let until = clock.now + duration
        let wasOver = state.withLock { $0.end != nil }
        while clock.now < until {
            let pause = min(.milliseconds(50), max(.milliseconds(1), until - clock.now))
            Thread.sleep(forTimeInterval: pause / .seconds(1))
            if state.withLock(\.isCancelled) { throw CancellationError() }
            if !wasOver, state.withLock({ $0.end != nil }) { return }
        }
    }

    private var milliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    // MARK: The run's number

    private struct Stored: Codable {
        var address: String
        var experiment: String
        var mark: String
        /// `nil` while the server has not answered.
        var run: String?
    }

    /// What an earlier process of the run was given by the same server.
    private var stored: Stored? {
        guard let data = try? Data(contentsOf: run.state),
            let stored = try? JSONDecoder().decode(Stored.self, from: data), stored.address == settings.address
        else { return nil }
        return stored
    }

    private func store(_ stored: Stored) {
        do {
            let data = try JSONEncoder.reproducible(isPretty: true).encode(stored)
            try WholeFile.write(data, to: run.state, durability: .contents)
        } catch {
            say(
                .warning(
                    "\(run.state.path) cannot be written (\(error.localizedDescription)): a resumed run becomes a new run in MLflow."
                ))
        }
    }
}
