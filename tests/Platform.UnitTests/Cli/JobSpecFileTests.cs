using System.Text.Json;
using Platform.Functions.Http;
using Platform.Jobs;
using Platform.Local;
using Platform.Local.Cli;

namespace Platform.UnitTests.Cli;

public sealed class JobSpecFileTests
{
    [Fact]
    public void Parse_YamlAndJsonOfTheSameSpec_AreTheSame()
    {
        const string Yaml = """
            kind: exec
            command: [sh, -c, "echo {index}", '5', no]
            labels: { tenant: blue, version: "1.0" }
            resources:
              cpu: 0.5
              memoryBytes: 1073741824
            array: { size: 3, parallelism: 2 }
            retry: { finalExitCodes: [2, 3] }
            ttlSeconds: ~
            """;
        const string Json = """
            {"kind":"exec","command":["sh","-c","echo {index}","5","no"],"labels":{"tenant":"blue","version":"1.0"},"resources":{"cpu":0.5,"memoryBytes":1073741824},
             "array":{"size":3,"parallelism":2},"retry":{"finalExitCodes":[2,3]}}
            """;

        Assert.Equal(Text(JobSpecFile.Parse(Json, isYaml: false).Spec), Text(JobSpecFile.Parse(Yaml, isYaml: true).Spec));
        Assert.Empty(JobSpecValidation.Validate(JobSpecFile.Parse(Yaml, isYaml: true).Spec));
    }

    [Theory]
    [InlineData("? [a]\n: b\n", "line 1 of the file has a name that is no text")]
    [InlineData("kind: exec\ncommand: &a [echo, *a]\n", "holds itself")]
    [InlineData("", "0 YAML documents")]
    [InlineData("kind: exec\n---\nkind: exec\n", "2 YAML documents")]
    public void Parse_YamlThatIsNoJson_SaysWhy(string yaml, string named) =>
        Assert.Contains(named, Assert.Throws<JsonException>(() => JobSpecFile.Parse(yaml, isYaml: true)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_YamlWithAnAliasUsedTwice_IsTheSpec() =>
        Assert.Equal(["a", "a"], JobSpecFile.Parse("kind: exec\ncommand: [&a a, *a]\n", isYaml: true).Spec.Command);

    [Fact]
    public void Read_YamlWithANumberInThePlaceOfAString_SaysHowToQuote()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["job.yaml"], "id: 42\nkind: exec\ncommand: [sleep, 5]\n");

        var fault = Assert.Throws<PlatformException>(() => JobSpecFile.Read(new FileInfo(folder["job.yaml"])));

        Assert.Contains("$.id: found 42; expected a string.", fault.Message, StringComparison.Ordinal);
        Assert.Contains("$.command[1]: found 5; expected a string.", fault.Message, StringComparison.Ordinal);
        Assert.Contains("only in quotes", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a-job", "a-job-retry-1")]
    [InlineData("a-job-retry-1", "a-job-retry-2")]
    [InlineData("a-job-retry-9", "a-job-retry-10")]
    public void RetryId_OfAJob_IsTheNext(string id, string next) => Assert.Equal(next, RetryJobFunction.NextId(id));

    [Fact]
    public void RetryId_OfTheLongestId_IsStillAnId() => Assert.True(Names.IsJobId(RetryJobFunction.NextId(new string('a', 64))));

    private static string Text(JobSpec? spec) => JsonSerializer.Serialize(spec!, JobsJson.Default.JobSpec);
}
