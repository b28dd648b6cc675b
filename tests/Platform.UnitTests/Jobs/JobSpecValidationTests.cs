using System.Text.Json;
using Platform.Jobs;

namespace Platform.UnitTests.Jobs;

public sealed class JobSpecValidationTests
{
    [Fact]
    public void Validate_ManyFaults_NamesThemAllWithTheirPaths()
    {
        var spec = JsonSerializer.Deserialize(
            """
            {
              "id": "bad id", "kind": "exec", "command": ["", null], "maxAttempts": 0, "priority": 101, "ttlSeconds": -1, "graceSeconds": 301,
              "environment": {"PLATFORM_X": "1", "A-B": "2", "OK": null}, "artifacts": {"../up": "a", "in/b": "a/b", "in/c": "x", "in/d": "x"},
              "resources": {"devices": -1, "cpu": 2000, "memoryBytes": -5}, "retry": {"delaySeconds": -1, "finalExitCodes": [0, 256, 2]},
              "array": {"size": 0, "parallelism": 0}, "webhook": {"url": "ftp://user@host/", "secretName": "No Good"}, "input": "in/x", "prompts": ["a"]
            }
            """,
            JobsJson.Default.JobSpec)!;

        var paths = JobSpecValidation.Validate(spec).Select(fault => fault.Path);

        string[] expected =
        [
            "$.array.parallelism", "$.array.size", "$.artifacts['../up']", "$.artifacts['in/b']", "$.artifacts['in/d']", "$.command[0]", "$.command[1]", "$.environment.A-B", "$.environment.OK", "$.environment.PLATFORM_X",
            "$.graceSeconds", "$.id", "$.id", "$.input", "$.maxAttempts", "$.priority", "$.prompts", "$.resources.cpu", "$.resources.devices", "$.resources.memoryBytes", "$.retry.delaySeconds",
            "$.retry.finalExitCodes[0]", "$.retry.finalExitCodes[1]", "$.ttlSeconds", "$.webhook.secretName", "$.webhook.url",
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), paths.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Validate_GoodSpecsOfEveryKind_FindsNothing()
    {
        JobSpec[] good =
        [
            new() { Kind = JobKinds.BatchInfer, Model = "m", Prompts = ["a"] },
            new() { Kind = JobKinds.BatchInfer, Model = "m", Input = "in/{index}.txt", Array = new JobArray { Size = 3 } },
            new() { Kind = JobKinds.Exec, Command = ["echo", "{index}"], Array = new JobArray { Size = 3 }, Artifacts = new Dictionary<string, string> { ["in/{index}"] = "in" }, Webhook = new JobWebhook { Url = "https://host/path" } },
            new() { Kind = JobKinds.Train, Input = "texts/a.txt", Training = new JobTraining { Steps = 10 } },
        ];

        Assert.All(good, spec => Assert.Empty(JobSpecValidation.Validate(spec)));
    }

    [Fact]
    public void Validate_IndexInAKeyWithoutAnArray_IsAFault() =>
        Assert.Equal("$.input", Assert.Single(JobSpecValidation.Validate(new JobSpec { Kind = JobKinds.BatchInfer, Model = "m", Input = "in/{index}.txt" })).Path);

    [Theory]
    [InlineData("batch-infer", "{\"command\":[\"true\"]}", "$.command")]
    [InlineData("batch-infer", "{\"artifacts\":{\"a\":\"a\"}}", "$.artifacts")]
    [InlineData("batch-infer", "{\"training\":{\"steps\":1}}", "$.training")]
    [InlineData("train", "{\"input\":null}", "$.input")]
    public void Validate_MemberOfAnotherKind_IsAFault(string kind, string members, string path)
    {
        var spec = JsonSerializer.Deserialize($$"""{"kind":"{{kind}}","model":"m",{{(kind == "train" ? "" : "\"prompts\":[\"a\"],")}}{{members[1..]}}""", JobsJson.Default.JobSpec)!;

        Assert.Equal(path, Assert.Single(JobSpecValidation.Validate(spec)).Path);
    }

    [Fact]
    public void Validate_UnknownKind_SaysWhichAreKnown() =>
        Assert.Contains("known: batch-infer, exec, train", JobSpecValidation.Validate(new JobSpec { Kind = "dance" })[0].Message, StringComparison.Ordinal);
}
