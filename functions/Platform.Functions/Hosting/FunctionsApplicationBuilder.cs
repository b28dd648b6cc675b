using System.Reflection;

namespace Platform.Functions.Hosting;

/// <summary>Builds a program whose functions a Functions host runs; made by <see cref="FunctionsApplication.CreateBuilder"/>.</summary>
public sealed class FunctionsApplicationBuilder
{
    private readonly WebApplicationBuilder _builder;
    private readonly int _port;

    internal FunctionsApplicationBuilder(string[] args, Assembly assembly, int port)
    {
        _port = port;
        _builder = WebApplication.CreateSlimBuilder(args);
        _builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        _builder.AddFunctions(assembly, port);
    }

    /// <summary>Services that functions get through their constructors.</summary>
    public IServiceCollection Services => _builder.Services;

    /// <summary>Settings; the app settings of the host are among them.</summary>
    public ConfigurationManager Configuration => _builder.Configuration;

    /// <summary>Where log lines go.</summary>
    public ILoggingBuilder Logging => _builder.Logging;

    /// <summary>The program's surroundings.</summary>
    public IHostEnvironment Environment => _builder.Environment;

    /// <summary>Functions with ASP.NET's types, which need nothing more.</summary>
    public FunctionsApplicationBuilder ConfigureFunctionsWebApplication() => this;

    /// <summary>Functions with <see cref="HttpRequestData"/>, which need nothing more.</summary>
    public FunctionsApplicationBuilder ConfigureFunctionsWorkerDefaults() => this;

    /// <summary>The program, ready to run.</summary>
    public IHost Build()
    {
        var app = _builder.Build();
        app.MapFunctions(_port);
        Jobs.Supervision.StopWithSupervisor(app.Lifetime.StopApplication);
        return app;
    }
}
