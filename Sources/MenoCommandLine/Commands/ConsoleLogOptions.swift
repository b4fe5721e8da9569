import ArgumentParser

/// Options of commands that train.
struct ConsoleLogOptions: ParsableArguments {
    @Flag(help: "Print only warnings, alerts and failures.") var quiet = false
    @Option(help: "text, or json to print every event as a line of JSON to standard error.") var logFormat:
        ConsoleLog.Style =
            .text

    var log: ConsoleLog { ConsoleLog(style: logFormat, isQuiet: quiet, settingNames: .keys) }
}
