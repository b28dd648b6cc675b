using Platform.Dapr;

namespace Platform.UnitTests.Dapr;

public sealed class DaprOptionsTests
{
    [Theory]
    [InlineData(null, null, null, "http://127.0.0.1:3500/")]
    [InlineData(null, null, "3601", "http://127.0.0.1:3601/")]
    [InlineData(null, "sidecar", "80", "http://sidecar/")]
    [InlineData("https://dapr.example:8443", "ignored", "1", "https://dapr.example:8443/")]
    [InlineData("", "", "", "http://127.0.0.1:3500/")]
    public void From_Environment_PicksTheEndpoint(string? endpoint, string? host, string? port, string expected)
    {
        var options = DaprOptions.From(name => name switch
        {
            "DAPR_HTTP_ENDPOINT" => endpoint,
            "DAPR_HOST" => host,
            "DAPR_HTTP_PORT" => port,
            _ => null,
        });

        Assert.Equal(expected, options.HttpEndpoint.ToString());
    }

    [Fact]
    public void From_PortThatIsNone_NamesTheVariable()
    {
        var e = Assert.Throws<InvalidOperationException>(() => DaprOptions.From(name => name == "DAPR_HTTP_PORT" ? "70000" : null));

        Assert.Contains("DAPR_HTTP_PORT", e.Message, StringComparison.Ordinal);
    }
}
