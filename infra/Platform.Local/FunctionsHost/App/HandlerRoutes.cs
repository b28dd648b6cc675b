using System.Text.Json.Nodes;

namespace Platform.Local.FunctionsHost.App;

/// <summary>Functions that <c>host.json</c> itself declares: <c>customHandler.http.routes</c>, or the catch-all of a <c>configurationProfile</c>. Each takes every verb and is passed through.</summary>
/// <param name="Routes">Template and authorization level; empty where functions come from folders.</param>
internal sealed record HandlerRoutes(IReadOnlyList<(string Route, string AuthLevel)> Routes)
{
    /// <summary>Profiles that mean: everything is proxied, without a route prefix.</summary>
    private static readonly string[] Profiles = ["mcp-custom-handler", "web-app-custom-handler"];

    /// <summary>True if a profile is named, so that proxying is on and the route prefix empty.</summary>
    public bool IsProfile { get; private init; }

    /// <exception cref="FunctionAppException">The profile is unknown, or a route is not described.</exception>
    public static HandlerRoutes Read(IConfiguration host, string path)
    {
        var profile = host["configurationProfile"];
        if (profile is not null && !Profiles.Contains(profile, StringComparer.OrdinalIgnoreCase))
        {
            throw new FunctionAppException($"{path}: configurationProfile is '{profile}'; expected {string.Join(" or ", Profiles)}, or none.");
        }

        var http = host.GetSection("customHandler:http");
        var standard = http["defaultAuthorizationLevel"] ?? "function";
        var routes = http.GetSection("routes").GetChildren()
            .Select(route => (route["route"] ?? throw new FunctionAppException($"{path}: customHandler.http.routes has an entry without 'route'."), Level(route["authorizationLevel"] ?? standard, path)))
            .ToList();
        if (profile is not null && routes.Count == 0)
        {
            routes.Add(("{*route}", Level(standard, path)));
        }

        return new HandlerRoutes(routes) { IsProfile = profile is not null };
    }

    /// <summary>The functions, named <c>http-handler1</c> and so on.</summary>
    public IReadOnlyList<FunctionDefinition> ToFunctions() => [.. Routes.Select((route, i) =>
    {
        var trigger = new JsonObject { ["type"] = "httpTrigger", ["direction"] = "in", ["name"] = "req", ["authLevel"] = route.AuthLevel, ["route"] = route.Route };
        var output = new JsonObject { ["type"] = "http", ["direction"] = "out", ["name"] = "res" };
        return new FunctionDefinition
        {
            Name = $"http-handler{i + 1}",
            Json = new JsonObject { ["bindings"] = new JsonArray(trigger, output) },
            Bindings = [new BindingDefinition(BindingTypes.HttpTrigger, "in", "req", trigger), new BindingDefinition(BindingTypes.Http, "out", "res", output)],
        };
    })];

    private static string Level(string level, string path) => level.ToLowerInvariant() is "anonymous" or "function" or "admin"
        ? level.ToLowerInvariant()
        : throw new FunctionAppException($"{path}: the authorization level '{level}' is unknown; expected anonymous, function or admin.");
}
