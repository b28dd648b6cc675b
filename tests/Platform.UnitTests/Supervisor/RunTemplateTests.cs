using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

public sealed class RunTemplateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("run-template-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_RepositorysOwn_HasTheFourApps()
    {
        var template = RunTemplate.Load(Repository.Root);

        Assert.Equal(["control", "worker-0", "worker-1", "functions"], template.Apps.Select(app => app.AppId));
        Assert.Equal(7071, Assert.Single(template.Apps, app => app.IsFunctionApp).FunctionsPort);
        Assert.All(template.Apps, app => Assert.Equal([Path.Combine(Repository.Root, "components", "local")], app.Sidecar.ResourcesPaths));
    }

    [Fact]
    public void Load_CommonAndAppValues_AppWinsAndPathsStartWhereTheCliSays()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "app", "own"));
        Directory.CreateDirectory(Path.Combine(_folder, "shared"));
        var template = Load("""
            version: 1
            common:
              resourcesPaths: [./shared]
              logLevel: debug
              env: { A: common, B: common }
            apps:
              - appDirPath: ./app
                appPort: 5000
                env: { B: app }
                unknownKey: ignored
              - appID: second
                appDirPath: ./app
                resourcesPaths: [./own]
                command: ["func", "start", "-p", "7099"]
            """);

        Assert.Equal("app", template.Apps[0].AppId);
        Assert.Equal(5000, template.Apps[0].AppPort);
        Assert.Equal(Microsoft.Extensions.Logging.LogLevel.Debug, template.Apps[0].Sidecar.LogLevel);
        Assert.Equal([Path.Combine(_folder, "shared")], template.Apps[0].Sidecar.ResourcesPaths);
        Assert.Equal(new Dictionary<string, string> { ["A"] = "common", ["B"] = "app" }, template.Apps[0].Environment);
        Assert.Equal([Path.Combine(_folder, "app", "own")], template.Apps[1].Sidecar.ResourcesPaths);
        Assert.Equal(7099, template.Apps[1].FunctionsPort);
    }

    [Fact]
    public void Load_WhatLiesInTheAppsDaprFolder_WinsOverCommonAndLosesToTheApp()
    {
        foreach (var folder in new[] { "app/.dapr/resources", "app/own", "app/single", "shared" })
        {
            Directory.CreateDirectory(Path.Combine(_folder, folder));
        }

        File.WriteAllText(Path.Combine(_folder, "app", ".dapr", "config.yaml"), "");
        File.WriteAllText(Path.Combine(_folder, "common.yaml"), "");
        File.WriteAllText(Path.Combine(_folder, "app", "own.yaml"), "");
        var apps = Load("""
            version: 1
            common:
              resourcesPaths: [./shared]
              configFilePath: ./common.yaml
            apps:
              - appID: folder
                appDirPath: ./app
              - appID: named
                appDirPath: ./app
                resourcesPaths: [./own]
                resourcesPath: ./single
                configFilePath: ./own.yaml
              - appID: plain
                appDirPath: ./shared
            """).Apps;

        Assert.Equal(
            [("folder", "app/.dapr/resources", "app/.dapr/config.yaml"), ("named", "app/own app/single", "app/own.yaml"), ("plain", "shared", "common.yaml")],
            apps.Select(app => (app.AppId, string.Join(' ', app.Sidecar.ResourcesPaths.Select(Relative)), Relative(app.Sidecar.ConfigPath!))));

        string Relative(string path) => Path.GetRelativePath(_folder, path);
    }

    [Fact]
    public void Load_SettingsOfTheSidecar_AreDaprsFields()
    {
        var template = Load("""
            version: 1
            common: { maxBodySize: 16Mi, enableAppHealthCheck: true, appHealthThreshold: 9, appMaxConcurrency: 4 }
            apps:
              - appID: own
                appDirPath: .
                appProtocol: h2c
                maxBodySize: 1Ki
                appHealthCheckPath: /ready
                appHealthProbeInterval: 7
                appHealthProbeTimeout: 250
                appHealthThreshold: 2
              - appID: plain
                appDirPath: .
            """);

        var (own, plain) = (template.Apps[0].Sidecar, template.Apps[1].Sidecar);
        Assert.Equal(("own", "h2c", 1024, true, "/ready", 2, 4), (own.AppId, own.AppProtocol, own.MaxBodyBytes, own.EnableAppHealthCheck, own.AppHealthCheckPath, own.AppHealthThreshold, own.AppMaxConcurrency));
        Assert.Equal((TimeSpan.FromSeconds(7), TimeSpan.FromMilliseconds(250)), (own.AppHealthProbeInterval, own.AppHealthProbeTimeout));
        Assert.Equal(("plain", "http", 16 * 1024 * 1024, "/healthz", 9), (plain.AppId, plain.AppProtocol, plain.MaxBodyBytes, plain.AppHealthCheckPath, plain.AppHealthThreshold));
    }

    [Fact]
    public void Load_RestartPolicy_OfTheAppWinsAndNeitherIsNeeded()
    {
        var template = Load("""
            version: 1
            common: { restartPolicy: onFailure, maxRestarts: 7 }
            apps:
              - appID: own
                appDirPath: .
                restartPolicy: never
              - appID: plain
                appDirPath: .
            """);

        Assert.Equal([(RestartWhen.Never, 7), (RestartWhen.OnFailure, 7)], template.Apps.Select(app => (app.Restart.When, app.Restart.MaxRestarts)));
        Assert.Equal(new RestartPolicy(), Load("version: 1\napps:\n  - appDirPath: .").Apps[0].Restart);
    }

    [Theory]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    restartPolicy: sometimes", "dapr.yaml(4): restartPolicy is 'sometimes'; expected always, onFailure or never")]
    [InlineData("version: 1\ncommon:\n  maxBodySize: lots\napps:\n  - appDirPath: .", "dapr.yaml(3): maxBodySize: 'lots' is not a byte quantity")]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    logLevel: loud", "dapr.yaml(4): logLevel: Log level 'loud' is unknown")]
    [InlineData("apps: []", "dapr.yaml(1): expected 'version: 1', found 'none'")]
    [InlineData("version: 1\napps: []", "expected at least one entry under 'apps'")]
    [InlineData("version: 1\napps:\n  - appID: x", "dapr.yaml(3): an app needs 'appDirPath'")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./nowhere", "does not exist")]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    appPort: many", "appPort is 'many'; expected a whole number")]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    appPort: 70000", "expected 0 to 65535")]
    [InlineData("version: 1\napps:\n  - appID: x\n    appDirPath: .\n  - appID: x\n    appDirPath: .", "two apps have the id 'x'")]
    [InlineData("version: [1", "not YAML")]
    public void Load_Faulty_NamesFileLineAndFault(string yaml, string expected)
    {
        var error = Assert.Throws<RunTemplateException>(() => Load(yaml));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private RunTemplate Load(string yaml)
    {
        File.WriteAllText(Path.Combine(_folder, "dapr.yaml"), yaml);
        return RunTemplate.Load(_folder);
    }
}
