using System.Net;
using System.Net.Sockets;
using Platform.Local;
using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

public sealed class PortPlanTests
{
    private static readonly Dictionary<string, int> None = [];

    [Fact]
    public void Make_AnyFree_GivesEveryProgramItsOwnPort()
    {
        var plan = PortPlan.Make(Template(), null, None, None, anyFree: true);

        int[] ports = [plan.Functions, plan.App("control")!.Value, plan.Dapr("control"), plan.Dapr("functions")];
        Assert.Equal(4, ports.Distinct().Count());
        Assert.All(ports, port => Assert.InRange(port, 1, 65535));
        Assert.Null(plan.App("functions"));
    }

    [Fact]
    public void Make_PortInUse_NamesThePortTheProgramAndTheOption()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var taken = ((IPEndPoint)other.LocalEndpoint).Port;

        var error = Assert.Throws<PlatformException>(() => PortPlan.Make(Template(), null, new Dictionary<string, int> { ["control"] = taken }, None, anyFree: true));

        Assert.Contains($"Port {taken} (control) is in use", error.Message, StringComparison.Ordinal);
        Assert.Contains("--app-port control=N", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Make_SamePortTwice_NamesBothPrograms()
    {
        var port = LoopbackPort.AnyFree();

        var error = Assert.Throws<PlatformException>(() => PortPlan.Make(Template(), port, new Dictionary<string, int> { ["control"] = port }, None, anyFree: true));

        Assert.Contains("the Functions host", error.Message, StringComparison.Ordinal);
        Assert.Contains("control", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Make_UnknownApp_IsAUsageError()
    {
        var error = Assert.Throws<PlatformException>(() => PortPlan.Make(Template(), null, None, new Dictionary<string, int> { ["contrl"] = 5 }, anyFree: true));

        Assert.Equal(Platform.Local.Cli.ExitCodes.Usage, error.ExitCode);
        Assert.Contains("no app 'contrl'", error.Message, StringComparison.Ordinal);
    }

    private static RunTemplate Template() => new("/dapr.yaml", "test", [App("control", 7100, ["dotnet"]), App("functions", null, ["func", "start"])]);

    private static AppTemplate App(string id, int? port, string[] command) => new()
    {
        AppId = id,
        Folder = "/",
        AppPort = port,
        DaprHttpPort = 3500,
        Command = command,
        Environment = new Dictionary<string, string>(),
        Sidecar = new Platform.Local.Sidecar.SidecarOptions { AppId = id },
    };
}
