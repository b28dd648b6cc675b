using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary>Everything that a user can get wrong over HTTP and on the command line: the answer names the thing, and has a stable code.</summary>
public sealed class BadInputTests(RunningPlatform platform) : IClassFixture<RunningPlatform>
{
    [Theory]
    [InlineData("v1/completions", """{"model":"nobody","prompt":"hello"}""", 404, ErrorCodes.ModelNotFound, "nobody")]
    [InlineData("v1/completions", """{"model":"../etc","prompt":"hello"}""", 404, ErrorCodes.ModelNotFound, "../etc")]
    [InlineData("v1/completions", """{"model":"demo","prompt":""}""", 400, ErrorCodes.PromptEmpty, "")]
    [InlineData("v1/completions", """{"model":"demo"}""", 400, ErrorCodes.InvalidRequest, "prompt")]
    [InlineData("v1/completions", """{"prompt":"hello"}""", 400, ErrorCodes.InvalidRequest, "model")]
    [InlineData("v1/completions", """{"model":"demo","prompt":"hello","max_tokens":-1}""", 400, ErrorCodes.InvalidRequest, "max_tokens")]
    [InlineData("v1/completions", """{"model":"demo",""", 400, ErrorCodes.InvalidJson, "")]
    [InlineData("v1/completions", "", 400, ErrorCodes.InvalidJson, "")]
    [InlineData("v1/chat/completions", """{"model":"demo","messages":[]}""", 400, ErrorCodes.PromptEmpty, "")]
    [InlineData("api/jobs", """{"kind":"dance"}""", 400, ErrorCodes.InvalidRequest, "")]
    [InlineData("api/jobs", "[", 400, ErrorCodes.InvalidJson, "")]
    [InlineData("api/jobs", """{"kind":"batch-infer","model":"nobody","prompts":["x"]}""", 404, ErrorCodes.ModelNotFound, "nobody")]
    [InlineData("v1/nothing", "{}", 404, ErrorCodes.RouteNotFound, "v1/nothing")]
    public async Task Post_BadRequest_IsAProblemWithAStableCode(string path, string body, int status, string code, string named)
    {
        using var answer = await platform.PostAsync(path, body, TestContext.Current.CancellationToken);

        await AssertProblemAsync(answer, status, code, named);
    }

    [Fact]
    public async Task Post_OverlongPrompt_SaysHowLongItIsAndMayBe()
    {
        using var answer = await platform.PostAsync("v1/completions", new JsonObject { ["model"] = "demo", ["prompt"] = string.Concat(Enumerable.Repeat("fox and bear ", 2000)) }.ToJsonString(), TestContext.Current.CancellationToken);

        await AssertProblemAsync(answer, 400, ErrorCodes.PromptTooLong, "tokens");
    }

    [Fact]
    public async Task Post_InvalidJob_NamesEveryFaultWithItsPath()
    {
        using var answer = await platform.PostAsync("api/jobs", """{"kind":"batch-infer","model":"demo","prompts":["a",""],"maxTokens":0,"maxAttempts":1000,"prioritty":1,"ttlSeconds":"soon"}""", TestContext.Current.CancellationToken);

        var problem = await AssertProblemAsync(answer, 400, ErrorCodes.InvalidRequest, "");
        Assert.Equal(["$.maxAttempts", "$.maxTokens", "$.prioritty", "$.prompts[1]", "$.ttlSeconds"], problem["faults"]!.AsArray().Select(fault => (string)fault!["path"]!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Submit_WhatNoNodeCanEverRun_FailsAtOnceWithTheReasonOfEachNode()
    {
        var token = TestContext.Current.CancellationToken;
        await platform.SubmitAsync(new JobSpec { Id = "not-allowed", Kind = JobKinds.Exec, Command = ["true"] }, token);
        await platform.SubmitAsync(new JobSpec { Id = "too-large", Kind = JobKinds.BatchInfer, Model = "demo", Prompts = ["x"], Resources = new JobResources { Devices = 64 } }, token);

        var notAllowed = await platform.EndOfJobAsync("not-allowed", token);
        var tooLarge = await platform.EndOfJobAsync("too-large", token);

        Assert.Equal((JobState.Failed, ErrorCodes.ExecDisabled), (notAllowed.State, notAllowed.Failure!.Code));
        Assert.Contains("worker-0 does not allow 'exec' (its operator enables it with Worker:ExecEnabled); worker-1 does not", notAllowed.Failure.Message, StringComparison.Ordinal);
        Assert.Equal((JobState.Failed, ErrorCodes.NoWorker), (tooLarge.State, tooLarge.Failure!.Code));
        Assert.Contains("and the job takes 64; worker-1 has", tooLarge.Failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DELETE", "v1/completions", 404, ErrorCodes.RouteNotFound)]
    [InlineData("GET", "api/jobs/job-that-never-was", 404, ErrorCodes.JobNotFound)]
    [InlineData("POST", "api/jobs/job-that-never-was/cancel", 404, ErrorCodes.JobNotFound)]
    [InlineData("GET", "api/models/nobody", 404, ErrorCodes.ModelNotFound)]
    [InlineData("DELETE", "api/models/nobody", 404, ErrorCodes.ModelNotFound)]
    [InlineData("POST", "api/models/nobody/warm", 404, ErrorCodes.ModelNotFound)]
    [InlineData("GET", "api/nodes/worker-9/tier", 404, ErrorCodes.NodeNotFound)]
    public async Task Call_OfSomethingThatIsNotThere_IsAProblemWithAStableCode(string method, string path, int status, string code)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var answer = await platform.Http.SendAsync(request, TestContext.Current.CancellationToken);

        await AssertProblemAsync(answer, status, code, "");
    }

    [Fact]
    public async Task Submit_AnotherSpecUnderAKnownId_IsAConflictAndTheFirstIsKept()
    {
        var first = new JobSpec { Id = Names.NewJobId(), Kind = JobKinds.BatchInfer, Model = "demo", Prompts = ["One day"], MaxTokens = 4 };
        await platform.SubmitAsync(first, TestContext.Current.CancellationToken);
        await platform.SubmitAsync(first, TestContext.Current.CancellationToken);

        using var answer = await platform.PostAsync("api/jobs", new JsonObject { ["id"] = first.Id, ["kind"] = "batch-infer", ["model"] = "demo", ["prompts"] = new JsonArray("Another") }.ToJsonString(), TestContext.Current.CancellationToken);

        await AssertProblemAsync(answer, 409, ErrorCodes.JobConflict, first.Id);
        Assert.Equal(["One day"], (await platform.JobAsync(first.Id, TestContext.Current.CancellationToken)).Spec.Prompts!);
    }

    [Fact]
    public async Task Push_FolderWithoutTokenizerAndWithTruncatedWeights_NamesBothAndPublishesNothing()
    {
        var folder = Directory.CreateTempSubdirectory("broken-model-").FullName;
        File.Copy(Path.Combine(RunningPlatform.DemoModel, "config.json"), Path.Combine(folder, "config.json"));
        var weights = await File.ReadAllBytesAsync(Path.Combine(RunningPlatform.DemoModel, "model.safetensors"), TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Path.Combine(folder, "model.safetensors"), weights[..^100], TestContext.Current.CancellationToken);

        await using var push = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "models", "push", folder, "--name", "broken", "--home", platform.Home);
        await using var list = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "models", "ls", "--json", "--home", platform.Home);

        Assert.Equal(1, push.ExitCode);
        Assert.Contains("'tokenizer.json' is missing", push.Everything(), StringComparison.Ordinal);
        Assert.Contains("model.safetensors", push.Everything(), StringComparison.Ordinal);
        Assert.DoesNotContain("broken", list.Everything(), StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Up_OnAFolderInUse_SaysWhoHasIt()
    {
        await using var second = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "up", "--any-ports", "--home", platform.Home);

        Assert.Equal(1, second.ExitCode);
        Assert.Contains($"process {platform.Up.ProcessId}", second.Everything(), StringComparison.Ordinal);
    }

    [Fact]
    public void Up_WithAppsThatAnswerNoCallbacks_CallsNothingUnreadable() =>
        Assert.DoesNotContain(platform.Up.Output, line => line.Contains("something unreadable", StringComparison.Ordinal));

    [Fact]
    public async Task Up_PortInUse_NamesThePortAndTheOption()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        var home = Directory.CreateTempSubdirectory("port-in-use-").FullName;

        await using var up = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "up", "--any-ports", "--port", port.ToString(), "--home", home);

        Assert.Equal(1, up.ExitCode);
        Assert.Contains($"Port {port}", up.Everything(), StringComparison.Ordinal);
        Assert.Contains("--port", up.Everything(), StringComparison.Ordinal);
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task Infer_UnknownModel_ExitsWithFourAndOneLine()
    {
        await using var infer = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "infer", "hello", "-m", "nobody", "--home", platform.Home);

        Assert.Equal(4, infer.ExitCode);
        Assert.Contains("nobody", Assert.Single(infer.Errors), StringComparison.Ordinal);
    }

    private static async Task<JsonNode> AssertProblemAsync(HttpResponseMessage answer, int status, string code, string named)
    {
        var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True((int)answer.StatusCode == status, $"expected {status} {code}, found {(int)answer.StatusCode}: {body}");
        Assert.Equal(Problem.ContentType, answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(body)!;
        Assert.Equal(code, (string)problem["code"]!);
        Assert.Equal(status, (int)problem["status"]!);
        Assert.Contains(named, (string)problem["detail"]!, StringComparison.Ordinal);
        Assert.Equal(code, (string)problem["error"]!["code"]!);
        return problem;
    }
}
