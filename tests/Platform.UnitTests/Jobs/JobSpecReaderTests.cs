using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Jobs.Schemas;

namespace Platform.UnitTests.Jobs;

public sealed class JobSpecReaderTests
{
    [Fact]
    public void Read_FaultsOfEverySort_NamesThemAllAtOnceWithTheirPaths()
    {
        var (_, faults) = Read("""
            {
              "kind": "exec", "comand": ["true"], "command": ["sh", 7], "maxAttempts": "three", "priority": 200, "deadlineSeconds": 1.5,
              "resources": {"graphics": 1, "cpu": "two"}, "environment": {"A": 1, "OK": "1"}, "array": 5, "webhook": {"secretName": "s"}, "retry": {"finalExitCodes": [1, "x"]}, "labels": null
            }
            """);

        Assert.Equal(
            ["$.array", "$.comand", "$.command[1]", "$.deadlineSeconds", "$.environment.A", "$.maxAttempts", "$.priority", "$.resources.cpu", "$.resources.graphics", "$.retry.finalExitCodes[1]", "$.webhook.url"],
            faults.Select(fault => fault.Path).Order(StringComparer.Ordinal));
        Assert.Contains("did you mean 'command'?", faults.Single(fault => fault.Path == "$.comand").Message, StringComparison.Ordinal);
        Assert.Equal("found 5; expected an object.", faults.Single(fault => fault.Path == "$.array").Message);
        Assert.Equal("found 1.5; expected a whole number.", faults.Single(fault => fault.Path == "$.deadlineSeconds").Message);
        Assert.StartsWith("there is no such member; known: devices, ", faults.Single(fault => fault.Path == "$.resources.graphics").Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"command":["true"]}""", "$.kind", "is missing; expected one of batch-infer, exec, train.")]
    [InlineData("""{"kind":3,"command":["true"]}""", "$.kind", "found 3; expected one of batch-infer, exec, train.")]
    [InlineData("""{"kind":"exec","command":"echo hello"}""", "$.command", "found \"echo hello\"; expected a list of strings.")]
    public void Read_OneFault_IsTheOnlyOneNamed(string json, string path, string message) =>
        Assert.Equal(new SpecFault(path, message), Assert.Single(Read(json).Faults));

    [Fact]
    public void Read_GoodSpec_IsTheSpecWhateverTheCaseOfItsMembers()
    {
        var (spec, faults) = Read("""{"Kind":"exec","command":["echo","{index}"],"maxattempts":"5","array":{"size":3},"labels":{"a b":"c"},"environment":{"A":"1"}}""");

        Assert.Empty(faults);
        Assert.Equal(("exec", 5, 3, 10, "c"), (spec.Kind, spec.MaxAttempts, spec.Array!.Size, spec.Array.Parallelism, spec.Labels!["a b"]));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"kind":"exec","kind":"train"}""")]
    public void Read_WhatIsNoObjectOrHasAMemberTwice_IsNoSpec(string json) => Assert.ThrowsAny<JsonException>(() => Read(json));

    private static (JobSpec Spec, IReadOnlyList<SpecFault> Faults) Read(string json) => JobSpecReader.Read(JsonNode.Parse(json, null, JobSpecReader.ParseOptions));
}
