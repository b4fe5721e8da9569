internal import MenoTraining
internal import Yams

/// One of transformers' `lr_scheduler_kwargs`.
struct ScheduleOption: Sendable {
    let name: String
    /// The schedules that ask for it.
    let courses: [LearningRateSchedule.Course]
    /// Puts the value into options; `false` where it is none.
    let read: @Sendable (Node, inout LearningRateSchedule.Options) -> Bool
    /// The value, where it is not the default.
    let write: @Sendable (LearningRateSchedule.Options) -> String?

    init<Value: Equatable & Sendable>(
        _ name: String, _ field: any WritableKeyPath<LearningRateSchedule.Options, Value> & Sendable,
        _ kind: ValueKind<Value>,
        of courses: LearningRateSchedule.Course...
    ) {
        self.name = name
        self.courses = courses
        read = { node, options in
            guard let value = kind.read(node) else { return false }
            options[keyPath: field] = value
            return true
        }
        write = { options in
            let value = options[keyPath: field]
            return value == LearningRateSchedule.Options()[keyPath: field] ? nil : kind.write(value)
        }
    }

    static let all = [
        ScheduleOption("num_cycles", \.cycles, .positiveOrNone, of: .cosine, .cosineWithRestarts),
        ScheduleOption("power", \.power, .positive, of: .polynomial),
        ScheduleOption("lr_end", \.endRate, .notNegative, of: .polynomial),
        ScheduleOption("timescale", \.timescale, .countOrNone, of: .inverseSquareRoot),
        ScheduleOption("num_decay_steps", \.decaySteps, .countOrNone, of: .warmupStableDecay),
        ScheduleOption("min_lr_ratio", \.minimumRatio, .fraction, of: .warmupStableDecay),
        ScheduleOption("decay_type", \.decayShape, .choice, of: .warmupStableDecay),
    ]

    /// All of them, each with its schedules.
    static var summary: String {
        all.map { "\($0.name) (\($0.courses.map(\.rawValue).joined(separator: ", ")))" }.joined(separator: ", ")
    }
}

extension ValueKind where Value == LearningRateSchedule.Options {
    /// A mapping of the names that transformers' schedules know.
    static var scheduleOptions: Self {
        let names = ScheduleOption.all.map(\.name).joined(separator: ", ")
        return Self(expected: "a mapping with some of \(names)") { node in
            var options = LearningRateSchedule.Options()
            if isNull(node) { return options }
            guard let mapping = node.mapping else { return nil }
            for (key, value) in mapping {
                guard let option = ScheduleOption.all.first(where: { $0.name == key.scalar?.string }),
                    option.read(value, &options)
                else { return nil }
            }
            return options
        } write: { options in
            let given = ScheduleOption.all.compactMap { option in
                option.write(options).map { "\(option.name): \($0)" }
            }
            return "{\(given.joined(separator: ", "))}"
        }
    }
}
