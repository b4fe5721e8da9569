/// What the REST API of MLflow 2 and 3 takes and returns, as far as it is used here.
enum MLflow {
    struct Tag: Codable {
        var key: String
        var value: String
    }

    struct Metric: Codable {
        var key: String
        var value: Double
        var timestamp: Int64
        var step: Int64
    }

    struct Batch: Encodable {
        var run_id: String
        var metrics: [Metric] = []
        var params: [Tag] = []
        var tags: [Tag] = []

        /// What a request may hold.
        static let mostMetrics = 1000
        static let mostParameters = 100
    }

    struct Nothing: Codable {}

    struct NewExperiment: Codable { var name: String }

    struct ExperimentID: Decodable { var experiment_id: String }

    struct Experiment: Decodable {
        struct Content: Decodable {
            var experiment_id: String
            var lifecycle_stage: String?
        }
        var experiment: Content
    }

    struct NewRun: Encodable {
        var experiment_id: String
        var run_name: String
        var start_time: Int64
        var tags: [Tag]
    }

    struct Run: Decodable {
        struct Info: Decodable {
            var run_id: String
            var lifecycle_stage: String?
        }
        struct Contents: Decodable {
            var metrics: [LatestMetric]?
            var params: [Tag]?
        }
        var info: Info
        var data: Contents?
    }

    /// Its value may be text, where it is not a finite number; nobody asks for it.
    struct LatestMetric: Decodable {
        var key: String
        var step: Int64

        private enum CodingKeys: CodingKey { case key, step }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            key = try values.decode(String.self, forKey: .key)
            // Older servers write whole numbers of 64 bits as text, as protobuf's JSON does.
            if let number = try? values.decode(Int64.self, forKey: .step) {
                step = number
            } else {
                step = (try? values.decode(String.self, forKey: .step)).flatMap(Int64.init) ?? 0
            }
        }
    }

    struct RunAnswer: Decodable { var run: Run }

    struct Search: Encodable {
        var experiment_ids: [String]
        var filter: String
        var max_results = 1
    }

    struct SearchAnswer: Decodable { var runs: [Run]? }

    enum Status: String, Encodable, Sendable {
        case running = "RUNNING"
        case finished = "FINISHED"
        case failed = "FAILED"
        case killed = "KILLED"
    }

    struct Update: Encodable {
        var run_id: String
        var status: Status
        var end_time: Int64?
    }

    struct Refusal: Decodable {
        var error_code: String?
        var message: String?
    }
}
