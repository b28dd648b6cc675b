using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>What the host shows of itself.</summary>
internal sealed class FunctionHostState(IReadOnlyList<FunctionDefinition> functions, RouteTable routes, (string Id, string Version)? extensionBundle, Func<int?> handlerProcessId)
{
    public string Id { get; } = Guid.NewGuid().ToString("n");

    public IReadOnlyList<FunctionDefinition> Functions { get; } = functions;

    public RouteTable Routes { get; } = routes;

    public (string Id, string Version)? ExtensionBundle { get; } = extensionBundle;

    public Func<int?> HandlerProcessId { get; } = handlerProcessId;

    /// <summary>Starting, Running, Stopping or Error.</summary>
    public string State { get; set; } = "Starting";

    public FunctionDefinition? Find(string name) => Functions.FirstOrDefault(function => function.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
