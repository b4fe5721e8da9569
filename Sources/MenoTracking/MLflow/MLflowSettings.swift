internal import Foundation
internal import MenoHub

/// Which MLflow server a run is sent to, by the environment variables that `mlflow` and `Trainer` read.
package struct MLflowSettings: Sendable {
    /// The address, without a slash at its end and without a password.
    let address: String
    let credentials: MLflowCredentials?
    let experiment: Experiment
    /// A run that exists already; `nil`: the run's own, or a new one.
    let runID: String?
    let tags: [String: String]
    let proxies: ProxySettings
    /// How long a request may take.
    var timeout: Duration = .seconds(30)
    /// How long values are gathered before they are sent.
    var interval: Duration = .seconds(1)
    /// The wait after the first failure; each further one doubles it, up to 32 times.
    var retryDelay: Duration = .seconds(1)
    /// How long the end of a run waits for a server that does not answer.
    var grace: Duration = .seconds(10)

    enum Experiment: Sendable, Hashable {
        case id(String)
        case name(String)
    }

    /// The variable that says where the server is.
    package static let addressVariable = "MLFLOW_TRACKING_URI"

    /// - Throws: ``TrackingError`` where there is no server's address, or a variable cannot be understood.
    package init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let value = { (name: String) in environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let (address, credentials) = try Self.server(value(Self.addressVariable))
        self.address = address
        self.credentials = try Self.credentials(value) ?? credentials
        experiment = value("MLFLOW_EXPERIMENT_NAME").map(Experiment.name) ?? .id(value("MLFLOW_EXPERIMENT_ID") ?? "0")
        runID = value("MLFLOW_RUN_ID")
        tags = try value("MLFLOW_TAGS").map(Self.tags) ?? [:]
        proxies = ProxySettings(environment)
    }

    private static func server(_ text: String?) throws -> (String, MLflowCredentials?) {
        let advice = "Start a server with `mlflow server`, then set it to the server's address: http://127.0.0.1:5000."
        guard let text else {
            throw TrackingError(
                .badSetting, at: addressVariable, "is not set, but `mlflow` is one of the trackers to report to.",
                advice: advice, settings: [.trackers])
        }
        guard var url = URLComponents(string: text.trimmingCharacters(in: .whitespaces)),
            ["http", "https"].contains(url.scheme?.lowercased()), url.host?.isEmpty == false
        else {
            // What was given may hold a password.
            let scheme = text.contains("://") ? "\(text.prefix { $0 != ":" })://…" : "no address"
            throw TrackingError(
                .badSetting, at: addressVariable,
                "is \(scheme); runs are sent to a server by http or https, and files or databases are not written directly.",
                advice: advice)
        }
        let credentials = try url.user.map {
            try MLflowCredentials(user: $0, password: url.password ?? "", source: addressVariable)
        }
        (url.user, url.password, url.query, url.fragment) = (nil, nil, nil, nil)
        return (String((url.string ?? "").reversed().drop { $0 == "/" }.reversed()), credentials)
    }

    private static func credentials(_ value: (String) -> String?) throws -> MLflowCredentials? {
        if let user = value("MLFLOW_TRACKING_USERNAME"), let password = value("MLFLOW_TRACKING_PASSWORD") {
            return try MLflowCredentials(user: user, password: password, source: "MLFLOW_TRACKING_USERNAME")
        }
        return try value("MLFLOW_TRACKING_TOKEN").map {
            try MLflowCredentials(token: $0, source: "MLFLOW_TRACKING_TOKEN")
        }
    }

    private static func tags(_ text: String) throws -> [String: String] {
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw TrackingError(
                .badSetting, at: "MLFLOW_TAGS", "is not a JSON object.", advice: #"Expected one such as {"team": "a"}."#
            )
        }
        return object.mapValues { "\($0)" }
    }
}
