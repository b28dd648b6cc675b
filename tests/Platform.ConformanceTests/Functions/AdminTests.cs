using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Check 16: the admin paths, disabled functions, broken ones.</summary>
public sealed class AdminTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_OfARunningHost_SaysSo()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Echo", "echo");
        app.HostJson["extensionBundle"] = new JsonObject { ["id"] = "Some.Bundle", ["version"] = "[4.*, 5.0.0)" };
        await app.StartAsync();

        var status = (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!;

        Assert.Equal("Running", status["state"]!.ToString());
        Assert.Equal(app.Host.HandlerProcessId, status["handlerProcessId"]!.GetValue<int>());
        Assert.Equal(("Some.Bundle", "[4.*, 5.0.0)"), (status["extensionBundle"]!["id"]!.ToString(), status["extensionBundle"]!["version"]!.ToString()));
        Assert.All(["id", "version", "versionDetails", "instanceId", "computerName", "processUptime", "functionAppContentEditingState", "errors"], name => Assert.NotNull(status[name]));
    }

    [Fact]
    public async Task Functions_WithFaults_AreOffAloneAndListedWithTheReason()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .Raw("Echo", "echo")
            .Raw("EchoTwin", "echo")
            .Function("NoJson", "{")
            .Function("NoTrigger", """{"bindings":[]}""")
            .Function("Strange", """{"bindings":[{"type":"blobTrigger","direction":"in","name":"b"}]}""")
            .Function("BadTimer", """{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"every day"}]}""")
            .Function("BadRoute", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","route":"a/{b"},{"type":"http","direction":"out","name":"res"}]}""")
            .Function("Twice", """{"bindings":[],"bindings":[{"type":"httpTrigger","name":"r"}]}""")
            .Function("NullMethod", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","methods":[null]}]}""")
            .Function("TextMethod", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","methods":"get"}]}""")
            .Function("OddLevel", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","authLevel":"everybody"}]}""")
            .Function("OddDirection", """{"bindings":[{"type":"httpTrigger","direction":"sideways","name":"r"}]}""")
            .Function("BadQueue", """{"bindings":[{"type":"queueTrigger","direction":"in","name":"q","queueName":"No_Name"}]}""")
            .Function("NoQueue", """{"bindings":[{"type":"queueTrigger","direction":"in","name":"q"}]}""")
            .Function("NoSetting", """{"bindings":[{"type":"queueTrigger","direction":"in","name":"q","queueName":"%NOT_THERE%"}]}""")
            .Function("NoConnection", """{"bindings":[{"type":"queueTrigger","direction":"in","name":"q","queueName":"work","connection":"NOT_THERE"}]}""")
            .Function("BadConnection", """{"bindings":[{"type":"queueTrigger","direction":"in","name":"q","queueName":"work","connection":"NONSENSE"}]}""")
            .Function("BadOutput", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r"},{"type":"queue","direction":"out","name":"q","queueName":"No_Name"}]}""")
            .Function("BadRetry", """{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 0 0 1 1 *"}],"retry":{"strategy":"fixedDelay","maxRetryCount":"three","delayInterval":"00:00:01"}}""")
            .Function("BadDelay", """{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 0 0 1 1 *"}],"retry":{"strategy":"fixedDelay","maxRetryCount":3,"delayInterval":"-00:00:01"}}""")
            .With("NONSENSE", "not a connection string")
            .Function("Reserved", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","route":"admin/x"},{"type":"http","direction":"out","name":"res"}]}""")
            .StartAsync();

        var functions = (await app.Client.GetFromJsonAsync<JsonArray>("admin/functions", Cancel))!;
        var errors = functions.Where(function => function!["error"] is not null).ToDictionary(function => function!["name"]!.ToString(), function => function!["error"]!.ToString());

        var faulty = new Dictionary<string, string>
        {
            ["BadConnection"] = "NONSENSE",
            ["BadDelay"] = "delayInterval",
            ["BadOutput"] = "'No_Name' is no queue name",
            ["BadQueue"] = "'No_Name' is no queue name",
            ["BadRetry"] = "maxRetryCount",
            ["BadRoute"] = "a/{b",
            ["BadTimer"] = "every day",
            ["EchoTwin"] = "'Echo'",
            ["NoConnection"] = "NOT_THERE",
            ["NoJson"] = "NoJson/function.json",
            ["NoQueue"] = "queueName",
            ["NoSetting"] = "NOT_THERE",
            ["NoTrigger"] = "0 triggers",
            ["NullMethod"] = "methods",
            ["OddDirection"] = "sideways",
            ["OddLevel"] = "everybody",
            ["Reserved"] = "admin/x",
            ["Strange"] = "blobTrigger",
            ["TextMethod"] = "methods",
            ["Twice"] = "bindings",
        };
        Assert.Equal(faulty.Keys, errors.Keys.Order(StringComparer.Ordinal));
        Assert.All(faulty, fault => Assert.Contains(fault.Value, errors[fault.Key], StringComparison.Ordinal));
        Assert.Equal(faulty.Count + 1, functions.Count);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("api/echo", Cancel)).StatusCode);
        Assert.Contains("NoTrigger/function.json", (await app.Client.GetFromJsonAsync<JsonNode>("admin/functions/NoTrigger/status", Cancel))!["errors"]![0]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_OfAnInput_RunsTheFunctionInTheBackground()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").StartAsync();

        using var accepted = await app.Client.PostAsJsonAsync("admin/functions/work", new { input = "by hand" }, Cancel);
        using var empty = await app.Client.PostAsync("admin/functions/Work", new StringContent("null"), Cancel);
        using var unknown = await app.Client.PostAsJsonAsync("admin/functions/None", new { input = "x" }, Cancel);

        Assert.Equal((202, 400, 404), ((int)accepted.StatusCode, (int)empty.StatusCode, (int)unknown.StatusCode));
        Assert.Equal("\"by hand\"", (await app.InvocationsAsync("Work", 1))[0]["envelope"]!["Data"]!["job"]!.GetValue<string>());
    }

    [Fact]
    public async Task Function_Disabled_Is404()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo").Raw("Pid", "pid").With("AzureWebJobs.Echo.Disabled", "true").StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("api/echo", Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("api/pid", Cancel)).StatusCode);
    }

    [Fact]
    public async Task Routes_AreTriedInFolderOrder()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("A", "{*all}").Raw("B", "pid").StartAsync();

        using var response = await app.Client.GetAsync("api/pid?x", Cancel);

        // Both land on the handler's /api/pid; what counts is which function the host chose.
        Assert.Equal("A", app.Host.Routes[0].Function.Name);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("{id:int}", "7", "x")]
    [InlineData("{id:long}", "7", "7.5")]
    [InlineData("{id:guid}", "0198b1f0-0000-7000-8000-000000000000", "7")]
    [InlineData("{id:bool}", "true", "1")]
    [InlineData("{id:alpha}", "abc", "a1")]
    [InlineData("{id:datetime}", "2026-01-02", "never")]
    [InlineData("{id:decimal}", "1.5", "x")]
    [InlineData("{id:min(3)}", "3", "2")]
    [InlineData("{id:max(3)}", "3", "4")]
    [InlineData("{id:range(2,4)}", "4", "5")]
    [InlineData("{id:length(2)}", "ab", "abc")]
    [InlineData("{id:regex(^a+$)}", "aa", "ab")]
    [InlineData("{id:int?}", "", "x")]
    [InlineData("{id=standard}", "", "a/b")]
    [InlineData("{*rest}", "a/b/c", null)]
    public async Task Route_WithEachConstraint_TakesWhatFits(string part, string fits, string? other)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Item", $"api/item/{part}");
        app.HostJson["extensions"]!["http"]!["routePrefix"] = "";
        await app.StartAsync();

        using var found = await app.Client.GetAsync($"api/item/{fits}", Cancel);
        using var notFound = await app.Client.GetAsync(other is null ? "api/other" : $"api/item/{other}", Cancel);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.NotFound), (found.StatusCode, notFound.StatusCode));
    }

    [Fact]
    public async Task Queues_ThroughTheAdminPaths_AreFilledListedAndCleared()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo").StartAsync();

        using var sent = await app.Client.PostAsync("admin/queues/orders", new StringContent("hello"), Cancel);
        var queue = (await app.Client.GetFromJsonAsync<JsonNode>("admin/queues/orders", Cancel))!;
        var queues = (await app.Client.GetFromJsonAsync<JsonArray>("admin/queues", Cancel))!;
        using var cleared = await app.Client.DeleteAsync("admin/queues/orders", Cancel);

        Assert.Equal((201, 204), ((int)sent.StatusCode, (int)cleared.StatusCode));
        Assert.Equal((1, "hello"), (queue["messages"]!.GetValue<int>(), queue["first"]![0]!["text"]!.ToString()));
        Assert.Equal("orders", queues[0]!["name"]!.ToString());
        Assert.Equal(0, app.Host.Queues.Open("orders").Count);
    }

    [Fact]
    public async Task App_WithoutFunctions_StartsNoHandler()
    {
        await using var app = await new TestFunctionApp().StartAsync();

        Assert.Null(app.Host.HandlerProcessId);
        Assert.Equal((HttpStatusCode.OK, "text/html"), await HomeAsync(app));
    }

    [Fact]
    public async Task Homepage_SwitchedOff_Is204()
    {
        await using var app = await new TestFunctionApp().With("AzureWebJobsDisableHomepage", "true").StartAsync();

        Assert.Equal((HttpStatusCode.NoContent, null), await HomeAsync(app));
    }

    private static async Task<(HttpStatusCode Status, string? Type)> HomeAsync(TestFunctionApp app)
    {
        using var home = await app.Client.GetAsync("", Cancel);
        return (home.StatusCode, home.Content.Headers.ContentType?.MediaType);
    }
}
