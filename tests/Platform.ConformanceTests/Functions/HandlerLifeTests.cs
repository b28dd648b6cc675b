using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Platform.Local;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 1, 2 and 19: the handler's start, environment, death and time-out.</summary>
public sealed class HandlerLifeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_ThatListensLate_IsAwaited()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").With("LISTEN_LATE_MS", "1500").StartAsync();

        Assert.Equal(app.Host.HandlerProcessId.ToString(), await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Fact]
    public async Task Handler_ThatNeverListens_IsTriedThreeTimesAndNamed()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Pid", "pid").With("LISTEN_LATE_MS", "600000");
        app.HostJson["customHandler"]!["initializationTimeout"] = "00:00:00.300";

        var failure = await Assert.ThrowsAsync<FunctionAppException>(app.StartAsync);

        Assert.Contains("initializationTimeout", failure.Message, StringComparison.Ordinal);
        Assert.Equal(3, app.Log.Count(line => line.Contains("did not start", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Handler_ThatEndsWith200_WantsARestartWhichIsNoError()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Pid", "pid").With("EXIT_STARTS", "3").With("EXIT_CODE", "200");
        app.With("STARTS", Path.Combine(app.AppRoot, "starts"));

        await app.StartAsync();

        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
        Assert.DoesNotContain(app.Log, line => line.Contains("did not start", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Output_OfTheHandler_IsLoggedAsInformationAndError()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").With("SAY", "a line of the handler").StartAsync();

        await TestFunctionApp.UntilAsync(() => app.Log.Count(line => line.EndsWith("a line of the handler", StringComparison.Ordinal)) == 2);

        Assert.Contains("Information: a line of the handler", app.Log);
        Assert.Contains("Error: a line of the handler", app.Log);
    }

    [Fact]
    public async Task Port_OfHostJson_IsTheHandlers()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Env", "environment");
        var port = LoopbackPort.AnyFree();
        app.HostJson["customHandler"]!["port"] = port;
        await app.StartAsync();

        var seen = (await app.Client.GetFromJsonAsync<JsonNode>("api/environment", Cancel))!;

        Assert.Equal($"{port}", seen["variables"]!["FUNCTIONS_CUSTOMHANDLER_PORT"]!.ToString());
    }

    [Fact]
    public async Task Handler_ThatCannotBeStarted_IsAClearError()
    {
        await using var app = new TestFunctionApp().Raw("Pid", "pid");
        app.HostJson["customHandler"]!["description"]!["defaultExecutablePath"] = "no-such-program";

        var failure = await Assert.ThrowsAsync<FunctionAppException>(app.StartAsync);

        Assert.Contains("no-such-program", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Environment_OfTheHandler_IsTheContracts()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Env", "environment").With("MY_SETTING", "mine");
        app.HostJson["customHandler"]!["description"]!["workerArguments"] = new JsonArray("%MY_SETTING%");
        app.HostJson["customHandler"]!["description"]!["workingDirectory"] = "Env";
        File.WriteAllText(Path.Combine(app.AppRoot, "local.settings.json"), """{"IsEncrypted":false,"Values":{"FROM_FILE":"file","PATH":"not this"}}""");
        await app.StartAsync();

        var seen = (await app.Client.GetFromJsonAsync<JsonNode>("api/environment", Cancel))!;
        var variables = seen["variables"]!;

        Assert.Equal(variables["FUNCTIONS_CUSTOMHANDLER_PORT"]!.ToString(), variables["FUNCTIONS_HTTPWORKER_PORT"]!.ToString());
        Assert.True(Guid.TryParse(variables["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"]!.ToString(), out _));
        Assert.Equal(variables["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"]!.ToString(), variables["FUNCTIONS_HTTPWORKER_ID"]!.ToString());
        Assert.Equal(app.AppRoot, variables["FUNCTIONS_APP_ROOT_PATH"]!.ToString());
        Assert.Equal(("file", "mine"), (variables["FROM_FILE"]!.ToString(), variables["MY_SETTING"]!.ToString()));
        Assert.NotEqual("not this", variables["PATH"]!.ToString());
        Assert.Equal("mine", seen["arguments"]![0]!.ToString());
        Assert.Equal(Path.Combine(app.AppRoot, "Env"), seen["folder"]!.ToString());
    }

    [Fact]
    public async Task Settings_WithoutIsEncrypted_AreRefused()
    {
        await using var app = new TestFunctionApp().Raw("Pid", "pid");
        File.WriteAllText(Path.Combine(app.AppRoot, "local.settings.json"), """{"Values":{}}""");

        var failure = await Assert.ThrowsAsync<FunctionAppException>(app.StartAsync);

        Assert.Contains("IsEncrypted", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kill_OfTheHandler_LosesNoLaterCall()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();

        // More often than the limit for failed starts: a handler that ran fine is started again without limit.
        for (var round = 0; round < 5; round++)
        {
            var pid = int.Parse(await app.Client.GetStringAsync("api/pid", Cancel));
            using (var process = Process.GetProcessById(pid))
            {
                process.Kill();
            }

            Assert.NotEqual(pid.ToString(), await app.Client.GetStringAsync("api/pid", Cancel));
        }
    }

    /// <summary>A child that goes on holds the handler's output open; neither a restart nor a stop of the host may wait for it.</summary>
    [Fact]
    public async Task Kill_OfAHandlerWhoseChildGoesOn_IsNoticed()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").Raw("Spawn", "spawn").StartAsync();
        using var child = Process.GetProcessById(int.Parse(await app.Client.GetStringAsync("api/spawn", Cancel)));
        try
        {
            using (var handler = Process.GetProcessById(app.Host.HandlerProcessId!.Value))
            {
                handler.Kill();
            }

            Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
            await app.StopAsync();
            Assert.False(child.HasExited);
        }
        finally
        {
            child.Kill();
        }
    }

    [Fact]
    public async Task Crash_InTheMiddleOfAPost_Is502AndTheNextCallWorks()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Exit", "exit").Raw("Pid", "pid").StartAsync();

        using var response = await app.Client.PostAsync("api/exit", new StringContent("x"), Cancel);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("unavailable", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.GetValue<string>());
        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("nothing")]
    public async Task Handler_ThatAnswersNoHttp_Is502AndTheNextCallWorks(string part)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Bad", part).Raw("Pid", "pid").StartAsync();

        using var response = await app.Client.PostAsync($"api/{part}", new StringContent("x"), Cancel);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("unavailable", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.GetValue<string>());
        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Fact]
    public async Task Handler_ThatBreaksOffItsAnswer_IsSeenToHaveBrokenOff()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Half", "half").Raw("Pid", "pid").StartAsync();

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => app.Client.GetStringAsync("api/half", Cancel));

        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Theory]
    [InlineData("""{"garbage":true}""")]
    [InlineData("""{"hangUp":true}""")]
    public async Task Handler_ThatAnswersNoEnvelope_FailsTheInvocation(string answer)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Raw("Pid", "pid").Answer("Order", answer).StartAsync();

        using var response = await app.Client.PostAsync("api/order", new StringContent("x"), Cancel);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Fact]
    public async Task Timeout_OfAFunction_RestartsTheHandler()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Slow", "slow").Raw("Pid", "pid");
        // Long enough for a call that ends, and for the start of a new Node.js, on a machine that is busy with other things.
        app.HostJson["functionTimeout"] = "00:00:05";
        await app.StartAsync();
        var before = await app.Client.GetStringAsync("api/pid", Cancel);

        using var response = await app.Client.GetAsync("api/slow?ms=600000", Cancel);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.NotEqual(before, await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Fact]
    public async Task Timeout_OfAnEnvelope_FailsItAndRestartsTheHandler()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Enveloped("Order", "order").Raw("Pid", "pid").Answer("Order", """{"delayMs":600000}""");
        app.HostJson["functionTimeout"] = "00:00:05";
        await app.StartAsync();
        var before = await app.Client.GetStringAsync("api/pid", Cancel);

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal((HttpStatusCode.InternalServerError, ""), (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel)));
        Assert.NotEqual(before, await app.Client.GetStringAsync("api/pid", Cancel));
    }

    [Fact]
    public async Task Address_OfAnotherMachine_IsNamed()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();

        // Of the range for documentation (RFC 5737), which no machine has.
        var failure = await Assert.ThrowsAsync<FunctionAppException>(() => EmbeddedFunctionsHost.StartAsync(
            new FunctionsHostOptions { AppRoot = app.AppRoot, StateFolder = app.State + "-2", Port = 0, Address = "192.0.2.7" },
            Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance,
            Cancel));

        Assert.Contains("192.0.2.7", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Port_InUse_IsNamed()
    {
        TestFunctionApp.NeedsNode();
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var failure = await Assert.ThrowsAsync<PortInUseException>(() => EmbeddedFunctionsHost.StartAsync(
            new FunctionsHostOptions { AppRoot = app.AppRoot, StateFolder = app.State + "-2", Port = port },
            Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance,
            Cancel));

        Assert.Equal(port, failure.Port);
        Assert.Contains(port.ToString(), failure.Message, StringComparison.Ordinal);
    }
}
