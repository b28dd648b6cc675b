using Platform.Local.FunctionsHost;
using Platform.Local.FunctionsHost.App;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>Defaults, bounds and overrides of host.json.</summary>
public sealed class HostSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("host-json-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Defaults_AreTheContracts()
    {
        var host = Load("{}");

        Assert.Equal(("api", -1, -1, TimeSpan.FromMinutes(30)), (host.Http.RoutePrefix, host.Http.MaxOutstandingRequests, host.Http.MaxConcurrentRequests, host.FunctionTimeout));
        Assert.Equal((16, 8 * Environment.ProcessorCount, 5, true, TimeSpan.Zero, TimeSpan.FromSeconds(2)), (host.Queues.BatchSize, host.Queues.NewBatchThreshold, host.Queues.MaxDequeueCount, host.Queues.Base64, host.Queues.VisibilityTimeout, host.Queues.MaxPollingInterval));
        Assert.Equal((false, false, TimeSpan.FromSeconds(30), 0), (host.Handler.Forwarding, host.Handler.Proxying, host.Handler.InitializationTimeout, host.Handler.Port));
    }

    [Fact]
    public void Setting_OfTheEnvironment_BeatsTheFile()
    {
        var host = Load(
            """{"extensions":{"queues":{"batchSize":4},"http":{"routePrefix":"x"}}}""",
            ("AzureFunctionsJobHost__extensions__queues__batchSize", "7"),
            ("AzureFunctionsJobHost__customHandler__description__arguments__0", "first"),
            ("AzureFunctionsJobHost__functionTimeout", "-1"));

        Assert.Equal((7, "x", "first", (TimeSpan?)null), (host.Queues.BatchSize, host.Http.RoutePrefix, host.Handler.Arguments[0], host.FunctionTimeout));
    }

    [Theory]
    [InlineData("""{"extensions":{"queues":{"batchSize":33}}}""", "batchSize")]
    [InlineData("""{"extensions":{"queues":{"maxDequeueCount":0}}}""", "maxDequeueCount")]
    [InlineData("""{"extensions":{"queues":{"maxPollingInterval":"00:00:00.050"}}}""", "maxPollingInterval")]
    [InlineData("""{"extensions":{"http":{"maxConcurrentRequests":0}}}""", "maxConcurrentRequests")]
    [InlineData("""{"extensions":{"queues":{"visibilityTimeout":"-00:00:01"}}}""", "visibilityTimeout")]
    [InlineData("""{"extensions":{"queues":{"visibilityTimeout":"8.00:00:00"}}}""", "visibilityTimeout")]
    [InlineData("""{"extensions":{"queues":{"maxPollingInterval":"90.00:00:00"}}}""", "maxPollingInterval")]
    [InlineData("""{"extensions":{"queues":{"messageEncoding":"utf8"}}}""", "messageEncoding")]
    [InlineData("""{"functionTimeout":"soon"}""", "functionTimeout")]
    [InlineData("""{"functionTimeout":"00:00:00"}""", "functionTimeout")]
    [InlineData("""{"functionTimeout":"-00:00:01"}""", "functionTimeout")]
    [InlineData("""{"functionTimeout":"90.00:00:00"}""", "functionTimeout")]
    [InlineData("""{"customHandler":{"description":{"defaultExecutablePath":"handler"},"initializationTimeout":"-00:00:01"}}""", "initializationTimeout")]
    [InlineData("""{"customHandler":{"description":{"defaultExecutablePath":"handler"},"initializationTimeout":"00:00:00"}}""", "initializationTimeout")]
    [InlineData("""{"customHandler":{"description":{"defaultExecutablePath":"handler"},"port":70000}}""", "port")]
    [InlineData("""{"customHandler":{"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":"maybe"}}""", "enableProxyingHttpRequest")]
    [InlineData("""{"version":"1.0"}""", "version")]
    public void Value_OutOfRange_IsNamedWithTheFile(string json, string named)
    {
        var failure = Assert.Throws<FunctionAppException>(() => Load(json));

        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
        Assert.Contains("host.json", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hsts_Enabled_IsTheHeadersValue() =>
        Assert.Equal("max-age=864000; includeSubDomains", Load("""{"extensions":{"http":{"hsts":{"isEnabled":true,"maxAge":"10","includeSubDomains":true}}}}""").Http.StrictTransportSecurity);

    private HostSettings Load(string json, params (string Name, string Value)[] settings)
    {
        var host = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        host.TryAdd("version", "2.0");
        host["customHandler"] ??= new System.Text.Json.Nodes.JsonObject { ["description"] = new System.Text.Json.Nodes.JsonObject { ["defaultExecutablePath"] = "handler" } };
        File.WriteAllText(Path.Combine(_folder, "host.json"), host.ToJsonString());
        return HostSettings.Load(_folder, AppSettings.Load(_folder, settings.ToDictionary(setting => setting.Name, setting => setting.Value)));
    }
}
