using System.Net;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Platform.Jobs;

namespace Platform.Functions.Hosting;

/// <summary>Makes a program a custom handler of a Functions host.</summary>
public static class FunctionsApplication
{
    /// <summary>The host's own limit, so that this process never refuses what the host let in.</summary>
    private const long MaxRequestBodyBytes = 104_857_600;

    /// <summary>What the program says where nobody runs it as a handler.</summary>
    internal const string NoHost = "FUNCTIONS_CUSTOMHANDLER_PORT is not set: this program is the handler of a Functions host. Run 'platform host', or 'func start' in this program's folder.";

    /// <summary>Begins a program of functions: those of the entry assembly.</summary>
    /// <remarks>With the arguments <c>--emit-functions FOLDER</c>, by which the build writes <c>host.json</c> and each <c>function.json</c>, the process does that and ends. Without a Functions host above it, it says so and ends.</remarks>
    public static FunctionsApplicationBuilder CreateBuilder(string[] args)
    {
        var assembly = Assembly.GetEntryAssembly()!;
        if (args is ["--emit-functions", var folder])
        {
            FunctionAppWriter.Write(assembly, folder);
            Environment.Exit(0);
        }

        if (HandlerPort() is { } port)
        {
            return new FunctionsApplicationBuilder(args, assembly, port);
        }

        Console.Error.WriteLine(NoHost);
        Environment.Exit(2);
        throw new InvalidOperationException(NoHost);
    }

    /// <summary>The port on which the host expects this process; null if no Functions host started it.</summary>
    internal static int? HandlerPort()
    {
        var port = Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT") ?? Environment.GetEnvironmentVariable("FUNCTIONS_HTTPWORKER_PORT");
        return int.TryParse(port, out var number) ? number : null;
    }

    /// <summary>Adds the functions of <paramref name="assembly"/> and binds the server to <paramref name="port"/> of the loopback address.</summary>
    internal static WebApplicationBuilder AddFunctions(this WebApplicationBuilder builder, Assembly assembly, int port)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxRequestBodyBytes;
            kestrel.Listen(IPAddress.Loopback, port);
        });
        builder.Services.AddRouting();
        builder.Services.AddMvcCore();
        builder.Services.AddSingleton(new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            TypeInfoResolver = JsonTypeInfoResolver.Combine(JobsJson.Default, new DefaultJsonTypeInfoResolver()),
        });
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<FunctionEndpoints>(services, FunctionDiscovery.Find(assembly)));
        return builder;
    }

    /// <summary>Maps every function; anything else is 404, which a host takes as a sign of life.</summary>
    internal static void MapFunctions(this WebApplication app, int port)
    {
        var endpoints = app.Services.GetRequiredService<FunctionEndpoints>();
        endpoints.Map(app, RoutePrefix(AppContext.BaseDirectory));
        app.Lifetime.ApplicationStarted.Register(() => app.Services.GetRequiredService<ILogger<FunctionEndpoints>>().Serving(endpoints.Functions.Count, port));
    }

    /// <summary>Raw requests keep the host's route prefix, so the handler must know it too.</summary>
    private static string RoutePrefix(string folder)
    {
        var file = Path.Combine(folder, "host.json");
        var http = File.Exists(file) ? JsonNode.Parse(File.ReadAllText(file))?["extensions"]?["http"] : null;
        return http?["routePrefix"]?.GetValue<string>() ?? "api";
    }
}
