# 割符: 画面とメールの文章(日本語)。同じ id と引数を en.ftl にも置く。

## 画面の枠
skip-to-main = 本文へ移動
language-switch = 言語の切替
person-name = { $name } 様
sign-out = ログアウト
help-desk = お問合せ先
menu = メニュー
crumbs = 現在の位置
title-problem = エラー:
problems-title = 入力内容をご確認ください
back-to-top = トップページへ戻る
back-to-users = 利用者(ユーザ)管理へ戻る
back-to-sign-in = ログイン画面へ戻る
error-code = エラーコード
support-id = お問合せ番号
moment = { $month }月{ $day }日({ $weekday ->
    [1] 月
    [2] 火
    [3] 水
    [4] 木
    [5] 金
    [6] 土
   *[7] 日
  }){ $time }({ $zone_key ->
    [asia-tokyo] 日本時間
   *[other] { $zone }
  })
since = { $at }から
times = { $n }回

## 言葉
login-id = ログインID
password = パスワード
name = 氏名
company = 会社名
role-label = 権限
role = { $role ->
    [master] マスターユーザ
    [administrator] 管理者ユーザ
   *[general] 一般ユーザ
  }
service-id = サービスID
token-user-id = ユーザID
one-time-password = ワンタイムパスワード
confirmation-password = 確認用パスワード
confirmation-password-hint = 大切な操作の前に、ご本人であることを確かめます。
token-state-label = トークンの状態
token-state = { $state ->
    [issued] 発行済み(アプリの設定待ち)
    [activated] アプリ設定済み(初回認証待ち)
    [in-use] 利用中
    [suspended] 利用停止
    [revoked] 失効
   *[none] 未発行
  }

## ログイン
sign-in-title = ログイン
sign-in-about = 会社で登録されたログインIDとパスワードを入力してください。
sign-in-button = ログイン
sign-in-signed-out = ログアウトしました。
sign-in-trouble-title = ログインできないとき
sign-in-trouble = パスワードをお忘れのときは、会社のマスターユーザまたは管理者ユーザにご相談ください。解決しないときは、下のお問合せ先までご連絡ください。

## トークン発行
issuance-title = ワンタイムパスワードトークン発行
issuance-about = スマートフォンのアプリで使うトークンを発行します。入力は2分ほどで終わります。
issuance-mail-legend = ご案内メールの送り先
issuance-allow-domain = 迷惑メールの設定をお使いの方は、先に「{ $domain }」からのメールを受信できるようにしてください。
mail-address = メールアドレス
mail-address-again = メールアドレス(確認)
mail-address-hint = アプリを入れる端末で受け取れるアドレスを入力してください。
issuance-password-legend = アプリの設定に使うパスワード
issuance-write-down = 決めた利用開始パスワードは、いまメモに控えてください。このあとアプリで1度だけ入力します。後から画面やメールで確かめることはできません。
activation-password = 利用開始パスワード
activation-password-again = 利用開始パスワード(確認)
activation-password-hint = ご自身で決めた{ $min }~{ $max }桁の数字です。この端末の外には送られません。
issuance-preparing = 準備をしています。しばらく待っても「トークン発行」を押せないときは、このページを読み込み直してください。
issuance-button = トークン発行
issuance-out-of-memory = この端末では暗号の計算に使うメモリが足りません。ほかのタブやアプリを閉じてから、もう一度お試しください。別の端末で発行することもできます。
issuance-step-prepare = 利用開始パスワードをこの端末の中で暗号にしています…
issuance-step-start = サーバに申し込んでいます…
issuance-step-protect = 申し込みの内容をこの端末の中で仕上げています…
issuance-step-finish = 発行を確定しています…

## 時計
clock-title = この端末の時計
clock-why = ワンタイムパスワードは現在の時刻から作られます。時計がずれていると認証できません。
clock-server-time = サーバの時刻は { $time } です。お使いの端末の時計と比べてください。
clock-checking = 時計を確かめています…
clock-right = この端末の時計は合っています。
clock-fast = この端末の時計は約%amount%進んでいます。
clock-slow = この端末の時計は約%amount%遅れています。
clock-mend = 端末の「設定」で日付と時刻の「自動設定」を有効にしてから、このページを読み込み直してください。アプリを入れる端末の時計も同じようにお確かめください。
clock-unknown = 時計を確かめられませんでした。通信の状態を確かめて、このページを読み込み直してください。

## 発行のあと
waiting-title = アプリで設定を完了してください
waiting-activated-title = アプリの設定が終わりました
waiting-expired-title = トークンの期限が切れました
waiting-locked-title = このトークンは使えなくなりました
waiting-about = トークンを発行しました。次の手順でアプリの設定を進めてください。
waiting-step-mail = メールを開く
waiting-step-mail-about = サービスIDとユーザIDが書かれています。
waiting-step-app = アプリを用意する
waiting-step-app-about = まだの方は、ダウンロードページから入れてください。お持ちの方は、アプリで「トークンの追加」を選びます。
waiting-step-send = アプリに入力して「送信」を押す
waiting-step-send-about = サービスID、ユーザIDと、先ほど決めた利用開始パスワードを入力します。
waiting-scan-code = 2つのIDが入ったQRコード
waiting-scan-about = スマートフォンのカメラか、アプリの「QRコードを読み取る」でこのコードを読み取ると、サービスIDとユーザIDが入力されます。
waiting-open-web-app = この端末でWebアプリを開く(2つのIDを入力済み)
waiting-step-code = 「次へ」を押して、この画面に戻る
waiting-step-code-about = アプリの設定が終わると、この画面は自動で切り替わります。
waiting-state-title = 発行の状況
waiting-user-id-in-mail = メールに記載しています
waiting-mail-to = メールの送り先
waiting-mail-state = メールの状況
mail-queued = 送信待ち
mail-sent = 送信済み
mail-failed = 送信できませんでした
waiting-mail-failed = メールを送信できませんでした。送り先をお確かめください。正しければ「メールを再送」を、違っていれば「はじめからやり直す」を押してください。
waiting-expires = 設定の期限
waiting-starts-left = アプリで入力できる残りの回数
waiting-day-used-up = 今日は、アプリで入力できる回数を使い切りました。明日もう一度お試しになるか、お問合せ先までご連絡ください。
waiting-send-again-about = 数分待っても届かないときは、迷惑メールのフォルダも確かめてから再送してください。
waiting-send-again = メールを再送
waiting-sent-again = メールの再送を受け付けました。
waiting-done-title = アプリに数字が表示されたら
waiting-done-about = この画面が切り替わらないときは、こちらからお進みください。
waiting-to-verification = ワンタイムパスワード認証確認へ
waiting-activated = 続けて、アプリに表示されているワンタイムパスワードを入力してください。
waiting-start-over-title = 入力を間違えたとき
waiting-start-over-about = メールアドレスを間違えたときや、利用開始パスワードを忘れたときは、発行をやり直せます。いまのトークンは取り消されます。
waiting-start-over = はじめからやり直す

## ダウンロード
download-title = アプリのダウンロード
download-about = ワンタイムパスワードを表示するアプリです。1つを選んで、お使いの端末に入れてください。
download-your-device = お使いの端末向け
download-apple = iPhone・iPad
download-apple-about = App Store から入れます。
download-apple-open = App Store を開く
download-google = Android
download-google-about = Google Play から入れます。
download-google-open = Google Play を開く
download-web = ウェブアプリ
download-web-about = ブラウザで開き、ホーム画面に追加して使います。スマートフォンでもパソコンでも使えます。
download-web-open = このウェブアプリを入れる
download-not-offered = このサービスでは配布していません。ほかの方法をお選びください。
download-terminal = パソコンのターミナル
download-terminal-about = コマンドで使うこともできます。利用開始パスワードは標準入力から読み取ります。
download-next-title = アプリを入れたら
download-next-open = アプリを開き、メールにあるサービスIDとユーザIDを入力します。
download-next-enter = 発行のときに決めた利用開始パスワードを入力し、「送信」を押します。
download-next-code = 完了の画面で「次へ」を押すと、ワンタイムパスワードが表示されます。
download-have-app = すでにアプリをお持ちの方は、新しく入れる必要はありません。アプリで「トークンの追加」を選んでください。1台に10件まで登録できます。

## 認証確認
verification-title = ワンタイムパスワード認証確認
verification-about = アプリに表示されているワンタイムパスワードを入力してください。
verification-about-first = はじめての認証です。アプリに表示されているワンタイムパスワードを入力すると、設定がすべて完了します。
one-time-password-hint = { $digits }桁の数字です。
verification-button = 認証確認
verification-trouble-title = うまくいかないとき
verification-trouble-wait = 一度使った数字は使えません。アプリの数字が変わるのを待って入力してください。
verification-trouble-lost = アプリを使えなくなったときや機種を変えたときは、会社のマスターユーザまたは管理者ユーザに「トークンの失効」を依頼し、発行し直してください。

## 先へ進めないとき
suspended-title = ワンタイムパスワードは利用停止中です
revoked-title = トークンは失効しています
refused-next-title = 次にすること
suspended-next-ask = 上に書かれている方に、利用停止の解除を依頼してください。
suspended-next-where = 依頼された方は「管理」→「利用者(ユーザ)管理」→「ワンタイムパスワードの利用停止解除」で解除できます。
suspended-next-sign-in = 解除されたら、もう一度ログインしてください。
suspended-next-revocation = 会社のマスターユーザまたは管理者ユーザに、トークンの失効を依頼してください。依頼できる方がいないときは、お問合せ先までご連絡ください。
suspended-next-issue = 失効すると、次にログインできる時間がメールで届きます。ログインして、新しいトークンを発行してください。
suspended-next-help-desk = 会社の中に解除できる方がいません。次のお問合せ先までご連絡ください。
revoked-next = 時間になりましたら、もう一度ログインしてください。新しいトークンの発行画面に進みます。

## トップページ
top-title = トップページ
top-welcome = { $name } 様、ログインしました。
top-you = ご利用の状況
last-sign-in = 前回のログイン
top-advice-title = 管理者ユーザの登録をお勧めします
top-advice = いまの登録では、マスターユーザが利用停止になったときに、会社の中で解除できる方がいません。登録の方法は、お問合せ先にご相談ください。

## 管理
manage = 管理
manage-choice-about = 利用停止の解除と、トークンの失効ができます。
manage-about = 業務を選んでください。
manage-users = 利用者(ユーザ)管理
manage-users-choice-about = 会社の利用者のワンタイムパスワードを管理します。
manage-users-about = 作業を選んでください。
release-title = ワンタイムパスワードの利用停止解除
release-choice-about = 間違いが続いて利用停止になった利用者を、また使えるようにします。
revoke-title = トークンの失効
revoke-choice-about = 機種変更や紛失のときに、いまのトークンを使えなくします。
release-about = 解除する利用者を選び、確認用パスワードを入力してください。
revoke-about = 失効する利用者を選び、確認用パスワードを入力してください。
release-caption = 利用停止中の利用者
revoke-caption = トークンのある利用者
release-empty = 利用停止中の利用者はいません。
revoke-empty = 失効できるトークンはありません。
revoke-warning = 失効は元に戻せません。失効した利用者は、すぐにログインできなくなります。また使うには、新しいトークンの発行とアプリの設定が必要です。
choose = 選択
choose-user = { $name }({ $login })を選択
select-all = すべて選択
nobody-to-choose = この一覧に、あなたが操作できる利用者はいません。理由は各行をご覧ください。
release-button = 停止解除
revoke-button = 失効
release-result-title = ワンタイムパスワード利用停止解除結果
revoke-result-title = トークン失効結果
release-result = { $refused ->
    [0] { $done }人の利用停止を解除しました。
   *[other] { $done }人の利用停止を解除しました。{ $refused }人は解除できませんでした。理由をご確認ください。
  }
revoke-result = { $refused ->
    [0] { $done }人のトークンを失効しました。
   *[other] { $done }人のトークンを失効しました。{ $refused }人は失効できませんでした。理由をご確認ください。
  }
result-caption = 利用者ごとの結果
result = 結果
released = 解除しました
revoked = 失効しました
refused = できませんでした
release-result-next = 解除した方に、もう一度ログインするようお伝えください。
revoke-result-next = 失効した方は、{ $opens }以降にログインして、新しいトークンを発行できます。
revoke-result-next-now = 失効した方は、いまからログインして、新しいトークンを発行できます。

## デモ
demo-label = デモ
demo-about = 本物の取引はありません。メールは外に送られません。
demo-mails = 届いたメール
demo-accounts = お試し用の利用者
demo-accounts-about = このデモのための利用者です。どの利用者でもログインできます。
demo-accounts-caption = 利用者とパスワード
demo-to-sign-in = ログイン画面へ
demo-mails-about = デモでは、メールは外に送られず、ここに届きます。
demo-mails-empty = メールはまだありません。トークンを発行すると、ここに届きます。
demo-mails-caption = メール(新しい順)
mail-subject = 件名
mail-to = 宛先
mail-from = 差出人
mail-at = 日時: { $at }
mail-body = 本文
mail-when = 日時

## お断りと障害
not-found-title = ページが見つかりません
error-title = 手続きを完了できませんでした
error-sign-in-refused = ログインIDまたはパスワードが正しくありません。確かめて、もう一度入力してください。お忘れのときは、会社のマスターユーザまたは管理者ユーザにご相談ください。
error-sign-in-slowed = 間違いが続いたため、しばらくログインできません。{ $seconds }秒待ってから、もう一度入力してください。お困りのときは、お問合せ先までご連絡ください。
error-user-suspended = 間違ったワンタイムパスワードが続いたため、利用を停止しています。{ $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザが解除できます。
    [administrator] 管理者ユーザが解除できます。
    [nobody] 間違いの回数が多いため、解除できません。トークンを失効し、発行し直す必要があります。
   *[help_desk] お問合せ先までご連絡ください。
  }
error-reissue-not-yet = トークンが失効したため、いまはログインとトークンの発行ができません。{ $opens }以降に、もう一度ログインしてください。お急ぎのときは、お問合せ先までご連絡ください。
error-mail-mismatch = 2つのメールアドレスが違っています。同じものを入力してください。
error-mail-invalid = メールアドレスの形が正しくありません。「name@example.co.jp」のような形で入力してください。
error-activation-password-mismatch = 2つの利用開始パスワードが違っています。同じものを入力してください。
error-activation-password-length = 利用開始パスワードは{ $min }~{ $max }桁で入力してください。
error-activation-password-not-digits = 利用開始パスワードには数字だけを使ってください。
error-activation-password-trivial = この利用開始パスワードは推測されやすいため使えません。同じ数字の繰り返し、続き番号、日付を避けてください。
error-code-format = ワンタイムパスワードは{ $digits }桁の数字です。アプリの表示を確かめて入力してください。
error-code-wrong = ワンタイムパスワードが正しくありません。アプリに表示されている数字を入力してください。あと{ $tries_left }回間違えると利用停止になります。
error-code-already-used = このワンタイムパスワードは使用済みです。アプリの数字が変わるのを待って、新しい数字を入力してください。
error-code-suspended-now = 間違ったワンタイムパスワードが続いたため、利用を停止しました。{ $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザが解除できます。
    [administrator] 管理者ユーザが解除できます。
    [nobody] 間違いの回数が多いため、解除できません。トークンを失効し、発行し直す必要があります。
   *[help_desk] お問合せ先までご連絡ください。
  }
error-confirmation-password-wrong = 確認用パスワードが正しくありません。ログインのパスワードとは別のものです。確かめて、もう一度入力してください。お忘れのときは、お問合せ先までご連絡ください。
error-nobody-selected = 利用者が選ばれていません。1人以上を選んでください。
error-not-permitted = この操作をする権限がありません。マスターユーザまたは管理者ユーザに依頼してください。
error-not-suspended = この利用者は利用停止ではありません。すでに解除されている場合があります。一覧を開き直してください。
error-token-expired = このトークンは有効期限が切れたため、ワンタイムパスワードを確認できません。回数には数えられていません。パスワードでログインし直すと、すぐに新しいトークンを発行できます。
error-no-token = この利用者には失効できるトークンがありません。一覧を開き直してください。
error-self-release = ご自身の利用停止は解除できません。マスターユーザまたはほかの管理者ユーザに依頼してください。
error-release-only-revocation = 間違いが続けて{ $run }回になったため、解除できません。トークンを失効し、発行し直してください。
error-token-already-in-use = すでにトークンをご利用中です。新しく発行するには、先にマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
error-issuance-expired = 設定の期限が過ぎました。トークンを発行し直してください。
error-issuance-locked = 間違った入力が続いたため、このトークンは使えません。トークンを発行し直してください。
error-issuance-cancelled = このトークンは取り消されています。新しいメールのユーザIDを使うか、トークンを発行し直してください。
error-already-activated = このトークンは別の端末で設定されています。心当たりがないときは、すぐにマスターユーザ、管理者ユーザまたはお問合せ先にトークンの失効を依頼してください。
error-activation-attempt-over = この設定の手続きは期限が切れました。アプリで、はじめから入力してください。
error-activation-refused = サービスID、ユーザID、利用開始パスワードのいずれかが正しくありません。メールとメモを確かめて入力してください。続けて失敗するときは、トークンを発行し直してください。
error-no-issuance = アプリの設定を待っているトークンがありません。ログインして、トークンを発行してください。
error-activation-message = アプリとの通信を正しく受け取れませんでした。アプリを最新にして、もう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-activation-gone = 期限までに認証確認が行われなかったため、このトークンは失効しました。ログインして、トークンを発行し直してください。
error-device-message = アプリからの問い合わせを正しく受け取れませんでした。アプリを最新にして、もう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-device-refused = このトークンは確認できませんでした。アプリの画面を開き直しても続くときは、パスワードでログインして、トークンを発行し直してください。
error-renewal-not-open = このトークンは、いまは更新できません。更新できる時期は、アプリの画面でご確認ください。利用停止または失効しているときは、マスターユーザまたは管理者ユーザにご相談ください。
error-app-full = このアプリには10件まで登録できます。使っていないトークンを削除してから、もう一度追加してください。
error-two-operators-needed = この操作には、もう1人の担当者の承認が必要です。別の担当者に承認を依頼してください。
error-busy = ただいま大変混み合っています。入力された内容は確認されておらず、回数にも数えられていません。数秒待ってから、もう一度お試しください。
error-clock-unsure = サービスの時計が正しいか確認できないため、ワンタイムパスワードを確認できません。回数には数えられていません。しばらくしてからもう一度お試しください。お急ぎのときは、お問合せ先までご連絡ください。
error-raced = 同じ利用者への操作が同時に行われたため、完了できませんでした。画面を開き直して、もう一度お試しください。
error-too-many-requests = 短い間に操作が続いたため、受け付けられません。{ $seconds }秒待ってから、もう一度お試しください。お困りのときは、お問合せ先までご連絡ください。
error-session-expired = しばらく操作がなかったか、ワンタイムパスワードが停止または失効したため、ログアウトしました。もう一度ログインしてください。
error-form-expired = ページの有効期限が切れたため、受け付けませんでした。ページを開き直して、もう一度入力してください。
error-internal = 申し訳ございません。システムの不具合により完了できませんでした。しばらくしてからもう一度お試しください。続くときは、お問合せ番号 { $support } を添えてお問合せ先までご連絡ください。
error-not-found = ページの場所が変わったか、アドレスが間違っています。トップページからお進みください。見つからないときは、お問合せ先までご連絡ください。
error-service-unavailable = サーバにつながらないか、混み合っています。通信の状態を確かめ、少し待ってからもう一度お試しください。続くときは、お問合せ先までご連絡ください。
error-scripts-needed = このページでは JavaScript が必要です。利用開始パスワードを端末の外に出さずに処理するためです。ブラウザの設定で有効にして読み込み直すか、ほかのブラウザをお使いください。
error-user-disabled = この利用者は利用できない状態のため、トークンを発行できません。
error-api-key-refused = APIキーがないか、正しくないか、期限が切れています。ヘッダー Authorization: Bearer KEY に有効なキーを入れて送ってください。新しいキーは、運用者が warifu api-client rotate で作れます。
error-scope-missing = このAPIクライアントには、この操作の権限がありません。必要なスコープを持つクライアントは、運用者が作れます。
error-network-not-allowed = このAPIクライアントは、このネットワークアドレスからは利用できません。許可するアドレスは運用者が決めています。
error-idempotency-key-format = ヘッダー Idempotency-Key は、表示できるASCII文字1~255字で、1回だけ送ってください。別のキーを選んでください。
error-idempotency-key-reused = この冪等キーは別の要求で使われています。何も行いませんでした。新しいキーで送ってください。
error-method-not-allowed = このアドレスでは、そのメソッドは使えません。使えるものはヘッダー Allow にあります。
error-media-type = 本文はJSONで、ヘッダー Content-Type: application/json を付けて送ってください。
error-body-too-large = 本文が大きすぎます。一度に送る量を減らしてください。
error-request-body = 本文がJSONではありません。{ $line }行{ $column }文字目を確かめてください。
error-request-fields = 本文の項目が決まりと違います。{ $line }行{ $column }文字目と、/api/v1/docs の説明を確かめてください。
error-request-query = アドレスの「?」より後ろを読めません。書けるものは /api/v1/docs にあります。
api-error-not-found = このクライアントから見える範囲に、そのアドレス、サービス、契約、利用者はありません。
api-error-no-token = この利用者には有効なトークンがありません。新しく発行できます。
api-error-not-suspended = この利用者のトークンは利用停止ではありません。すでに解除されている場合があります。
api-error-release-only-revocation = 最後に正しいコードが入力されてからの間違いが多すぎるため、解除できません。トークンを失効し、発行し直してください。
api-error-raced = 同じ利用者への操作が同時に行われたため、何も行いませんでした。もう一度送ってください。
api-error-form-expired = この発行は、最後に始めたものではないか、始められていません。何も行いませんでした。はじめからやり直してください。
api-error-no-issuance = アプリの設定を待っているこの利用者のトークンはありません。
api-error-code-format = コードはちょうど{ $digits }桁のASCII数字で送ってください。判定も回数の加算もしていません。

## メール
mail-greeting = { $name } 様
mail-unexpected = お心当たりがないときは、すぐに下記のお問合せ先までご連絡ください。
mail-no-reply = このメールには返信できません。
mail-token-subject = トークン発行のお知らせ - { $service }
mail-token-lead =
    { $service }のワンタイムパスワードトークンを発行しました。
    次の2つをアプリに入力してください。
mail-token-download = アプリのダウンロード:
mail-token-steps =
    1. アプリを開き、上の2つを入力します。すでにアプリをお持ちの方は「トークンの追加」を選びます。
    2. 発行のときに決めた利用開始パスワードを入力し、「送信」を押します。
    3. 完了の画面で「次へ」を押すと、ワンタイムパスワードが表示されます。
mail-token-expires = 設定の期限: { $at }
mail-token-safety = パスワードをメールや電話でお尋ねすることはありません。
mail-activated-subject = アプリの設定が完了しました
mail-activated = ワンタイムパスワードのアプリの設定が完了しました。
mail-activated-next = 次のログインから、アプリに表示されるワンタイムパスワードをお使いください。
mail-suspended-subject = ワンタイムパスワードを利用停止にしました
mail-suspended = 間違ったワンタイムパスワードが続いたため、利用を停止しました。
mail-suspended-next = { $who ->
    [master_or_administrator] マスターユーザまたはほかの管理者ユーザに、利用停止の解除を依頼してください。
    [administrator] 管理者ユーザに、利用停止の解除を依頼してください。
    [nobody] この利用停止は解除できません。マスターユーザ、管理者ユーザまたはお問合せ先にトークンの失効を依頼し、発行し直してください。
   *[help_desk] 解除については、下記のお問合せ先までご連絡ください。
  }
mail-released-subject = ワンタイムパスワードの利用停止を解除しました
mail-released = ワンタイムパスワードの利用停止を解除しました。
mail-released-next = もう一度ログインして、アプリに表示されるワンタイムパスワードを入力してください。
mail-revoked-subject = トークンを失効しました
mail-revoked = お使いのトークンを失効しました。アプリに残っている数字は使えません。
mail-revoked-next = { $opens }以降にログインして、新しいトークンを発行できます。
mail-revoked-next-now = いまからログインして、新しいトークンを発行できます。
mail-renewed-subject = トークンの有効期限を更新しました
mail-renewed = アプリからの手続きにより、トークンの有効期限を{ $ends }まで更新しました。
mail-renewed-endless = アプリからの手続きにより、トークンの有効期限がなくなりました。
mail-renewed-next = ワンタイムパスワードは、これまでどおりお使いいただけます。お手元にアプリの入った端末がないときは、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-second-device-subject = 別の端末からの設定をお断りしました
mail-second-device = 設定の済んだトークンを、別の端末で設定しようとする操作がありました。操作はお断りし、いまのトークンはそのまま使えます。
mail-second-device-next = ご自身の操作でなければ、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-address-changed-subject = メールアドレスが変更されました
mail-address-changed = トークン発行の際に、トークンのメールをお送りするメールアドレスが変更されました。
mail-address-changed-next = ご自身の操作でなければ、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼してください。
mail-colleague-suspended-subject = 利用者が利用停止になりました
mail-colleague-suspended = { $user }のワンタイムパスワードが、間違いが続いたため利用停止になりました。
mail-colleague-suspended-next = ご本人に事情を確かめたうえで、「管理」の「利用者(ユーザ)管理」から解除してください。
mail-colleague-suspended-next-revoke = 間違いの回数が多いため、解除はできません。ご本人に事情を確かめたうえで、「管理」の「利用者(ユーザ)管理」からトークンを失効し、発行し直すようお伝えください。
mail-colleague-revoked-subject = 利用者のトークンが失効しました
mail-colleague-revoked = { $user }のトークンが失効しました。
mail-colleague-revoked-next = ご本人が新しいトークンを発行するまで、ログインできません。

## 端末のアプリ(warifu authenticator)
app-starting = サーバーに接続しています…
app-checking = 利用開始パスワードを確かめています…
app-finishing = 設定を完了しています…
app-added = トークン「{ $name }」を設定しました。
app-dropped = トークン「{ $name }」の設定は完了できなかったため、取り消しました。{ $reason }
app-countdown = 「{ $name }」のワンタイムパスワード(q で終了)
app-list-empty = この端末にトークンはありません。「warifu authenticator add」で追加してください。
app-state = { $state ->
    [active] 利用可
    [pending] 設定の完了待ち
   *[started] 設定の途中
  }
app-home-missing = トークンの保存場所がわかりません。--home で指定してください。
app-waiting = ほかのコマンドの終了を待っています…
app-storage = この端末のトークンを読み書きできません。保存されている内容は変えていません。詳細: { $detail }
app-missing = { $flag } を指定してください。
app-server = サーバーの接続先(https://…)
app-server-form = サーバーの接続先を https://bank.example のように指定してください。
app-server-clear = 暗号化されない接続先(http://)は、この端末自身のときだけ使えます。https:// で始まる接続先を指定してください。
app-service-id-form = サービスIDが正しくありません。メールに書かれたとおりに入力してください。
app-user-id-form = ユーザIDは{ $digits }桁の数字です。メールに書かれたとおりに入力してください。
app-user-id-mistyped = ユーザIDに打ち間違いがあります。メールをもう一度ご確認ください。まだ何も送信していません。
app-password-prompt = 利用開始パスワード
app-password-missing = 利用開始パスワードを入力できません。端末で実行するか、--activation-password-stdin を付けて標準入力から渡してください。
app-unreachable = サーバーに接続できませんでした。入力した内容は失われていません。しばらくしてから、同じコマンドをもう一度実行してください。詳細: { $detail }
app-bad-answer = 応答したのは割符のサーバーではないようです。接続先をご確認のうえ、同じコマンドをもう一度実行してください。続くときは、お問合せ先までご連絡ください。
app-refused = サーバーに受け付けられませんでした({ $code })。しばらくしてから、同じコマンドをもう一度実行してください。
app-not-computed = 計算に必要なメモリ(64 MiB)を確保できませんでした。ほかのプログラムを終了してから、同じコマンドをもう一度実行してください。
app-not-found = その番号のトークンはありません。「warifu authenticator list」でご確認ください。
app-not-active = このトークンの設定はまだ完了していません。同じ内容で「warifu authenticator add」をもう一度実行してください。
app-name-one = トークンが複数あります。--id で1つ指定してください。
app-name-form = 名前は1~{ $max }文字で指定してください。制御文字は使えません。
app-remove-warning = トークン「{ $name }」をこの端末から削除すると、元に戻せません。もう一度使うには、トークンの失効と再発行が必要です。
app-remove-question = 削除しますか。
app-remove-yes-needed = 確認のため、--yes を付けて実行してください。
app-removed = 削除しました。
app-clock-slow = この端末の時計は、サーバーより { $amount } 遅れています。ワンタイムパスワードは補正して表示しています。日付と時刻の自動設定を有効にしてください。
app-clock-fast = この端末の時計は、サーバーより { $amount } 進んでいます。ワンタイムパスワードは補正して表示しています。日付と時刻の自動設定を有効にしてください。

## スマートフォンのアプリ(/app/)
phone-tools = 操作
phone-back = 戻る
phone-add = トークンの追加
phone-settings = 設定
phone-next = 次へ
phone-send = 送信
phone-save = 保存
phone-saved = 保存しました。
phone-cancel = やめる
phone-reload = 読み込み直す
phone-first-title = アプリの利用開始
phone-first-about = ご案内メールに書かれた2つのIDと、発行のときに決めた利用開始パスワードを入力してください。
phone-install-first = iPhone・iPadでは、先にSafariの共有ボタンから「ホーム画面に追加」を選び、ホーム画面のアイコンから開いて設定してください。Safariで設定したトークンは引き継がれません。
phone-add-title = トークンの追加
phone-add-about = ご案内メールに書かれた2つのIDと、発行のときに決めた利用開始パスワードを入力してください。
phone-evicted = この端末に保存されていたトークンが、ブラウザから消されています。もう一度使うには、会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼し、新しいトークンを発行してください。
phone-service-id-hint = メールの「サービスID」です。
phone-user-id-hint = メールの「ユーザID」です。14桁の数字で、ハイフンは入れても入れなくてもかまいません。
phone-activation-password-hint = トークンの発行のときにご自身で決めた4~8桁の数字です。この端末の外には送られません。
phone-activation-password-form = 利用開始パスワードは、4~8桁の数字で入力してください。
phone-show-password = 入力した数字を表示
phone-id-form = サービスIDが正しくありません。メールに書かれたとおりに入力してください。
phone-user-id-form = ユーザIDは14桁の数字です。メールに書かれたとおりに入力してください。
phone-user-id-mistyped = ユーザIDに打ち間違いがあります。メールをもう一度お確かめください。まだ何も送っていません。
phone-scan = QRコードを読み取る
phone-scan-about = パソコンの発行画面にQRコードが表示されているときは、2つのIDを入力せずに済みます。
phone-scan-how = パソコンの発行画面に表示されているQRコードに、カメラを向けてください。
phone-scan-view = カメラの映像
phone-scan-starting = カメラを準備しています…
phone-scan-looking = QRコードを探しています…
phone-scan-found = QRコードを読み取りました。
phone-scan-other = これは発行画面のQRコードではありません。
phone-scan-elsewhere = これは別のサービスのQRコードです。そのサービスのアプリで読み取ってください。
phone-scan-denied = カメラの使用が許可されていません。ブラウザの設定で許可するか、下の方法をお使いください。
phone-scan-no-camera = この端末ではカメラを使えません。下の方法をお使いください。
phone-scan-picture = QRコードの画像を選ぶ
phone-scan-nothing = この画像からQRコードを読み取れませんでした。
phone-scan-type = 読み取らずに入力する
phone-progress-title = アプリを設定しています
phone-stage-preparing = この端末の中で準備しています…
phone-stage-contacting = サーバに接続しています…
phone-stage-checking = 利用開始パスワードを確かめています…
phone-stage-finishing = 設定を完了しています…
phone-unreachable = サーバに接続できません。入力した内容は失われていません。つながりしだい、続きから自動で進めます。
phone-try-now = いますぐ試す
phone-later = あとで続ける
phone-done-title = アプリの設定が完了しました
phone-done-about = この端末でワンタイムパスワードを表示できます。「次へ」を押すと表示します。
phone-done-lock = ほかの人に見られないよう、アプリをロックする
phone-refused-title = 設定できませんでした
phone-refused-ended = この設定は終了しました。
phone-refused-kept = 設定の途中の内容は、この端末に残っています。
phone-enter-again = もう一度入力する
phone-to-codes = ワンタイムパスワードの表示へ
phone-refused = サーバに受け付けられませんでした({ $code })。しばらくしてから、もう一度お試しください。続くときは、お問合せ先までご連絡ください。
phone-out-of-memory = 計算に必要なメモリ(64 MB)が足りません。ほかのアプリやタブを閉じてから、もう一度お試しください。
phone-code-spoken = ワンタイムパスワード { $digits }。押すとコピーします。
phone-code-hidden = ワンタイムパスワードを隠しています。押すと表示します。
phone-press-to-copy = 数字を押すとコピーします。
phone-press-to-show = 押すと表示します。
phone-next-code = 次のワンタイムパスワード { $code }
phone-changes-soon = あと{ $seconds }秒で変わります。
phone-copied = コピーしました。
phone-not-copied = コピーできませんでした。数字を見て入力してください。
phone-hide-codes = 数字を隠す
phone-show-codes = 数字を表示
phone-search = トークンを探す
phone-search-nothing = あてはまるトークンがありません。
phone-unfinished-title = 設定の途中です
phone-unfinished = このトークンの設定は、まだ完了していません。
phone-unfinished-password = 設定を続けるには、利用開始パスワードをもう一度入力してください。
phone-go-on = 続ける
phone-clock = この端末の時計
phone-clock-right = 合っています
phone-clock-slow = この端末の時計は、サーバより{ $amount }遅れています。ワンタイムパスワードは補正して表示しています。
phone-clock-fast = この端末の時計は、サーバより{ $amount }進んでいます。ワンタイムパスワードは補正して表示しています。
phone-clock-unchecked = この端末の時計は、まだサーバと比べていません。
phone-clock-unsure = 時計が大きくずれていたため、正しいワンタイムパスワードを表示できません。インターネットに接続して時計を確かめるか、端末の日付と時刻を直してください。
phone-clock-backwards = 端末の時計が過去の時刻になっているため、正しいワンタイムパスワードを表示できません。端末の日付と時刻を直してください。
phone-check-clock = 時計を確かめる
phone-clock-help = 時計の直し方
phone-suspended = ワンタイムパスワードは利用停止中です。
phone-suspended-next = 会社のマスターユーザまたは管理者ユーザに、利用停止の解除を依頼してください。解除されると、また表示されます。
phone-revoked = このトークンは失効しています。
phone-revoked-next = ログインして新しいトークンを発行し、このアプリに追加してください。古いトークンは削除してかまいません。
phone-expired = このトークンの有効期限が切れました。
phone-expired-next = ログインして新しいトークンを発行し、このアプリに追加してください。古いトークンは削除してかまいません。
phone-expires = このトークンの有効期限は{ $day }です。
phone-expires-label = 有効期限
phone-renew = 有効期限を更新する
phone-renewal-title = 有効期限の更新
phone-renewal-about = 期限が切れる前に更新すると、続けて使えます。更新には、インターネットへの接続が必要です。
phone-renewal-from = { $day }から更新できます。
phone-renewed = 有効期限を更新しました。
phone-token-details = トークンの詳細
phone-service = サービス
phone-user-name = お名前
phone-standing = 状態
phone-since = { $at }から
phone-checked = サーバで確かめた日時
phone-state-pending = 設定の完了待ち
phone-state-started = 設定の途中
phone-standing-activated = 設定済み(初回認証待ち)
phone-standing-in-use = 利用中
phone-standing-suspended = 利用停止
phone-standing-revoked = 失効
phone-standing-expired = 期限切れ
phone-standing-unknown = サーバで未確認
phone-name = このアプリでの名前
phone-name-hint = 40文字まで。空にすると、サービスの名前で表示します。
phone-name-form = 名前は1~40文字で入力してください。制御文字は使えません。
phone-order = 並び順
phone-order-now = { $all }件のうち{ $at }番目に表示しています。
phone-move-up = 上へ移す
phone-move-down = 下へ移す
phone-remove-title = この端末からの削除
phone-remove-active = 削除すると、この端末ではワンタイムパスワードを表示できなくなり、ログインできません。もう一度使うには、会社のマスターユーザまたは管理者ユーザによる失効と、新しいトークンの発行が必要です。
phone-remove-over = このトークンはもう使えません。削除しても、ほかのトークンには影響しません。
phone-remove-unfinished = 設定の途中の内容を、この端末から削除します。設定できるのは、発行からの期限と回数の残っている間だけです。
phone-remove = この端末から削除
phone-remove-question = 「{ $name }」を削除しますか。
phone-remove-final = 削除すると、元に戻せません。
phone-remove-yes = 削除する
phone-removed = 削除しました。
phone-locked-title = アプリはロックされています
phone-pin = PIN
phone-unlock = ロックを解除
phone-unlock-device = 端末の認証で解除
phone-pin-wrong = PINが正しくありません。
phone-pin-wait = あと{ $amount }お待ちください
phone-tries-left = あと{ $n }回間違えると、この端末のトークンはすべて消去されます。
phone-device-not-verified = 端末での認証ができませんでした。もう一度お試しください。
phone-lock-forgotten = ロックを解除できないとき
phone-forgotten-title = すべて消去して、はじめからやり直しますか。
phone-forgotten-about = ロックを解除できないときは、この端末のトークンをすべて消去するほかありません。その後、会社のマスターユーザまたは管理者ユーザに失効を依頼し、新しいトークンを発行してください。
phone-erase-yes = すべて消去する
phone-erased-title = トークンは消去されました
phone-erased-about = PINの間違いが10回続いたため、この端末のトークンをすべて消去しました。
phone-erased-next = 会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼し、新しいトークンを発行してください。
phone-start-over = はじめからやり直す
phone-lock-title = アプリのロック
phone-lock-about = ロックをかけると、この端末に保存されたトークンは、PINまたは端末の認証がなければ読み出せません。
phone-lock-now = いまの設定
phone-lock-is-none = ロックはかかっていません。
phone-lock-is-pin = PINでロックします。
phone-lock-is-device = 端末の認証でロックします。
phone-lock-off = ロックをやめる
phone-lock-is-on = ロックを設定しました。
phone-lock-is-off = ロックをやめました。
phone-lock-when = ロックがかかるまでの時間
phone-lock-at-once = ほかのアプリに切り替えたらすぐ
phone-lock-after = 切り替えてから{ $amount }後
phone-lock-pin = PINを使う
phone-lock-pin-about = 4~8桁の数字です。10回続けて間違えると、この端末のトークンはすべて消去されます。
phone-pin-now = いまのPIN
phone-pin-now-hint = ロックを変更したり、やめたりするときに必要です。
phone-pin-new = 新しいPIN
phone-pin-hint = 4~8桁。覚えやすく、ほかの人に推測されにくい数字にしてください。6桁以上をおすすめします。
phone-pin-again = 新しいPIN(確認)
phone-pin-set = PINを設定
phone-pin-change = PINを変更
phone-pin-length = PINは、4~8桁の数字で入力してください。
phone-pin-trivial = このPINは推測されやすいため使えません。同じ数字の繰り返し、連続した数字、日付は避けてください。
phone-pin-mismatch = 2つのPINが違っています。同じものを2回入力してください。
phone-lock-device = 端末の認証を使う
phone-lock-device-about = 顔や指紋、端末のパスコードで解除します。
phone-lock-device-none = この端末またはブラウザでは使えません。
phone-lock-device-set = 端末の認証を設定
phone-lock-device-label = Warifuアプリのロック
phone-lock-device-failed = 端末の認証を設定できませんでした。PINをお使いください。
phone-hidden-first = 数字を隠しておき、押したときだけ表示する
phone-persist-title = この端末での保存
phone-persist-ask = 保存の許可を求める
phone-persisted = トークンは、この端末に保存されています。空き容量が少なくなっても、ブラウザが自動で消すことはありません。
phone-not-persisted = ブラウザが保存を約束していないため、空き容量が少なくなると、トークンが消されることがあります。
phone-help-title = 困ったときは
phone-help-about = 時計の直し方、機種変更、紛失など
phone-help-clock-title = 時計がずれているとき
phone-help-clock-about = ワンタイムパスワードは現在の時刻から作られます。端末の日付と時刻を自動で合わせるようにしてください。
phone-help-clock-iphone = iPhone・iPad: 「設定」→「一般」→「日付と時刻」で「自動設定」をオンにします。
phone-help-clock-android = Android: 「設定」→「システム」→「日付と時刻」で「日時を自動的に設定」をオンにします。
phone-help-clock-pc = パソコン: 「日付と時刻」の設定で、時刻を自動的に設定するようにします。
phone-help-clock-then = 直したあと、このアプリをもう一度開いてください。
phone-help-refused-title = ワンタイムパスワードが受け付けられないとき
phone-help-refused = 1つのワンタイムパスワードは1度だけ使えます。次の数字に変わるのを待って入力してください。続けて間違えると、利用停止になります。
phone-help-new-title = スマートフォンを替えるとき
phone-help-new = トークンは、別の端末に移せません。新しい端末では、新しいトークンを使います。
phone-help-new-next = 会社のマスターユーザまたは管理者ユーザにトークンの失効を依頼し、ログインして新しいトークンを発行してから、新しい端末のアプリに追加してください。
phone-help-lost-title = スマートフォンをなくしたとき
phone-help-lost = すぐに、会社のマスターユーザまたは管理者ユーザ、またはお問合せ先に、トークンの失効を依頼してください。
phone-help-install-title = ホーム画面に追加するには
phone-help-install-iphone = iPhone・iPad: Safariの共有ボタンから「ホーム画面に追加」を選びます。Safariで設定したトークンは引き継がれないため、トークンを追加する前に行ってください。
phone-help-install-android = Android・パソコン: ブラウザのメニューから「アプリをインストール」を選びます。
phone-update-ready = 新しい版があります。トークンはそのまま使えます。
phone-update-take = 更新する
phone-trouble-title = アプリを表示できません
phone-storage = このブラウザでは、トークンを保存できません。プライベートブラウズを終了するか、別のブラウザでお試しください。
phone-not-loaded = アプリの一部を読み込めませんでした。通信の状態を確かめて、読み込み直してください。
phone-fault = アプリに問題が起きました({ $code })。トークンは消えていません。読み込み直しても続くときは、お問合せ先までご連絡ください。
