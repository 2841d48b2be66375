@echo off
rem Starts jdiffusion on Windows: finds a JDK, builds what is not built yet, runs. The file "jdiffusion" does the same
rem for other systems. Nobody has tried this one yet.
setlocal EnableExtensions DisableDelayedExpansion
set "need=25"
set "home=%~dp0"
set "home=%home:~0,-1%"

set "jdk="
call :consider "%home%\java"
if defined JAVA_HOME call :consider "%JAVA_HOME%"
for %%j in (java.exe) do if not "%%~$PATH:j"=="" call :consider "%%~dp$PATH:j.."
for %%r in ("Eclipse Adoptium" Java Microsoft Zulu "Amazon Corretto" BellSoft) do (
    for /d %%d in ("%ProgramFiles%\%%~r\*") do call :consider "%%~d"
)
for /d %%d in ("%USERPROFILE%\.jdks\*") do call :consider "%%~d"
if not defined jdk (
    echo jdiffusion: no JDK %need% or newer found; looked at JAVA_HOME, java on the PATH, the folders of JDKs in>&2
    echo "%ProgramFiles%", and "%USERPROFILE%\.jdks". Install one ^(https://adoptium.net^) or set JAVA_HOME to it.>&2
    exit /b 2
)

rem An unpacked package is built already. Of a checkout only the first build is made: after a change delete the file
rem cli\target\built.
set "jar=%home%\jdiffusion.jar"
if not exist "%jar%" (
    set "jar=%home%\cli\target\jdiffusion.jar"
    if not exist "%home%\cli\target\built" call :build || exit /b 2
)

rem JAVA_TOOL_OPTIONS may ask for another collector, and the JVM refuses two.
set "collector=-XX:+IgnoreUnrecognizedVMOptions -XX:-UseG1GC -XX:-UseParallelGC -XX:-UseShenandoahGC -XX:-UseZGC"
rem A server makes more garbage than a picture; of two -Xmn the last counts.
set "young="
if "%~1"=="serve" set "young=-Xmn128m"

"%jdk%\bin\java.exe" "@%home%\java.options" %collector% %young% "-Djdiffusion.home=%home%" -jar "%jar%" %*
exit /b %ERRORLEVEL%

rem Takes %1 for the JDK if none was found before and its file "release" says JAVA_VERSION="25.0.3" or the like.
:consider
if defined jdk exit /b 0
if not exist "%~1\bin\java.exe" exit /b 0
if not exist "%~1\release" exit /b 0
for /f "usebackq tokens=1,2 delims==" %%k in ("%~1\release") do (
    if "%%k"=="JAVA_VERSION" for /f "delims=.-+" %%v in ("%%~l") do if %%v GEQ %need% set "jdk=%~1"
)
exit /b 0

:build
if not exist "%jdk%\bin\javac.exe" (
    echo jdiffusion: "%jdk%" has no compiler, and jdiffusion must be built first; install a full JDK>&2
    exit /b 1
)
echo jdiffusion: building ^(once; a minute or two^) ...>&2
set "JAVA_HOME=%jdk%"
pushd "%home%"
call mvnw.cmd -q -B -Dmaven.test.skip=true package >&2
if errorlevel 1 (
    popd
    echo jdiffusion: the build failed; the messages above say why>&2
    exit /b 1
)
popd
type nul >"%home%\cli\target\built"
exit /b 0
