import Foundation
import MenoTesting
import Testing

@Suite struct TrackerCommandTests {
    /// A server that is not there harms no run, and what proves who the user is stays in the environment.
    @Test func tokensAreWrittenNowhere() throws {
        let tiny = try TinyModel()
        try tiny.write("max_steps: 4, eval_steps: 2, save_steps: 2, bf16: false, report_to: [tensorboard, mlflow]")
        let secrets = ["token-4711", "password-0815", "userinfo-1234"]
        let environment = [
            "MLFLOW_TRACKING_URI": "http://me:\(secrets[2])@127.0.0.1:1", "MLFLOW_TRACKING_TOKEN": secrets[0],
            "MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": secrets[1],
        ]
        let result = try meno(["train", tiny.file.path], threads: 1, environment: environment)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("MLflow at http://127.0.0.1:1") && result.errors.contains("were not sent"))
        let later = try meno(["track", tiny.run.path], environment: environment)
        #expect(later.status == 0 && later.errors.contains("were not sent"), "\(later.errors)")
        let files = try #require(FileManager.default.enumerator(atPath: tiny.run.path))
        var texts = [result.errors, later.errors]
        for case let path as String in files {
            if let data = try? Data(contentsOf: tiny.run.appending(path: path)) {
                texts.append(String(decoding: data, as: UTF8.self))
            }
        }
        #expect(texts.count > 10)
        for text in texts { for secret in secrets { #expect(!text.contains(secret)) } }
        let yaml = try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8)
        #expect(yaml.contains("report_to: [tensorboard, mlflow]"))
    }

    @Test func aServerMustBeNamed() throws {
        let tiny = try TinyModel()
        try tiny.write("max_steps: 1, report_to: mlflow")
        let result = try meno(["train", tiny.file.path], environment: ["MLFLOW_TRACKING_URI": ""])
        #expect(result.status == 65)
        #expect(
            result.errors.contains("MLFLOW_TRACKING_URI: is not set") && result.errors.contains("training.report_to"))
        #expect(!FileManager.default.fileExists(atPath: tiny.run.path))
        // Where all is asked for, what there is is taken.
        try tiny.write("max_steps: 1, report_to: all, bf16: false")
        #expect(try meno(["train", tiny.file.path], threads: 1, environment: ["MLFLOW_TRACKING_URI": ""]).status == 0)
        #expect(try meno(["track", tiny.run.path], environment: ["MLFLOW_TRACKING_URI": ""]).status == 65)
    }
}
